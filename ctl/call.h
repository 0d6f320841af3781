/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls to vmfreq's daemons over the system bus. What goes wrong is said on stderr, with the remedy
 * if there is one. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

/* A daemon that vmfreqctl speaks to. */
struct daemon {
	const char *program; /* "vmfreq-hostd", which is its unit, too */
	const char *bus_name;
	const char *path;
	const char *interface;
};

extern const struct daemon daemon_host, daemon_guest;

/* Connects to the system bus. 0, or an exit code. */
int call_open(sd_bus **ret);

/* Whether the daemon is on the bus. */
bool call_finds(sd_bus *bus, const struct daemon *daemon);

/* Calls a method that has no arguments, or one of the daemon's with a text, and waits. *ret_reply
 * may be NULL. 0, or an exit code. */
int call_method(sd_bus *bus, const struct daemon *daemon, const char *method, const char *text,
		sd_bus_message **ret_reply);

/* Sends any call, which is unreferenced, and waits: for a password, too, if the daemon asks polkit.
 * 0, or an exit code. */
int call_send(sd_bus *bus, const struct daemon *daemon, sd_bus_message *call,
	      sd_bus_message **ret_reply);
