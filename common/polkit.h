/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may call a method: root always, everybody else if polkit says so. A door: it asks the bus
 *daemon for the caller's uid and org.freedesktop.PolicyKit1 for the rest, and never blocks.
 *
 * A method's handler begins with
 *
 *	r = polkit_check(polkit, call, "org.vmfreq.host1.reload", NULL, error);
 *	if (r <= 0)
 *		return r < 0 ? r : 1;
 *
 * and is called once more, from the top, when the answer is there. */
#pragma once

#include <systemd/sd-bus.h>

#define POLKIT_WAITING_MAX 64U /* callers whom polkit is being asked about at one time */

/* The questions under way on one connection. */
struct polkit;

/* -ENOMEM. */
int polkit_new(struct polkit **ret);

/* Forgets all questions: before the connection is closed. NULL is fine. Returns NULL. */
struct polkit *polkit_free(struct polkit *polkit);

/* Whether the sender of `call` may do `action`. 1: yes. 0: not known yet, and the handler will be
 * called again with the same message. -errno with *error set: no, and why. details are pairs of
 * name and value for polkit's rules, ended by NULL; or NULL.
 *
 * A dialog is opened only if the call allows it. A caller who vanishes takes the question with him.
 * Without polkit only root passes, and the error says so. */
int polkit_check(struct polkit *polkit, sd_bus_message *call, const char *action,
		 const char *const *details, sd_bus_error *error);
