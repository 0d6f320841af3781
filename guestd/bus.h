/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Guest1 on the system bus: org.vmfreq.Guest1(5). A door.
 *
 * The daemon needs no bus. While there is none, as early in the boot or in a guest without one, it
 * waits for the socket to appear, which costs nothing; after the bus has gone it waits again. */
#pragma once

#include "guestd/guest.h"

#define GUEST_BUS_NAME	     "org.vmfreq.Guest1"
#define GUEST_BUS_PATH	     "/org/vmfreq/Guest1"
#define GUEST_BUS_INTERFACE  "org.vmfreq.Guest1"
#define GUEST_BUS_RELOAD     "org.vmfreq.guest1.reload" /* polkit's action */
#define GUEST_BUS_BAD_CONFIG "org.vmfreq.Guest1.Error.BadConfiguration"

struct guest_bus;

/* Which properties have changed. */
enum guest_news {
	GUEST_NEWS_CONNECTION = 0x1, /* Connected, Connection, HostAgent */
	GUEST_NEWS_CPUFREQ = 0x2,    /* Cpufreq, CpufreqReason */
	GUEST_NEWS_CONCERNS = 0x4,   /* Concerns */
	GUEST_NEWS_CONFIG = 0x8,     /* ConfigError */
	GUEST_NEWS_SIGNAL = 0x10,    /* Signal, SignalReason */
};

/* Begins to connect to the bus at this address (kept), claims the name and answers on the event
 * loop, after everything else. Nothing here waits. -ENOMEM, or the errno of sd-event. */
int guest_bus_new(struct guest *guest, sd_event *event, const char *address,
		  struct guest_bus **ret);
struct guest_bus *guest_bus_free(struct guest_bus *bus);

/* Tells the bus, once the loop has nothing better to do, what has changed: bits of enum guest_news.
 * NULL: nobody is to be told. */
void guest_bus_news(struct guest_bus *bus, unsigned news);
