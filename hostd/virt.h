/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt, in a thread of its own: a door, and the only user of <libvirt.h>.
 *
 * libvirt's calls can hang for minutes, so nothing but this thread makes them. It sends whole
 * inventories: after connecting, after each event that changes one, and every now and then. When
 * libvirtd goes away it tries again, and the last inventory stands meanwhile: the guests still run. */
#pragma once

#include <stdbool.h>

#include "hostd/inventory.h"

struct virt;

/* Starts the thread, which connects read-only to uri. */
int virt_start(const char *uri, struct virt **ret);

/* Ends it. If it hangs in a call of libvirt it is left behind: the process is about to end. */
struct virt *virt_stop(struct virt *virt);

/* A descriptor that is readable when there is news. */
int virt_fd(const struct virt *virt);

/* Takes the news: the newest inventory since the last call, or NULL if there is none; the caller
 * frees it. *ret_connected is whether libvirtd can be reached, *ret_error why not ("" if it can). */
struct inventory *virt_take(struct virt *virt, bool *ret_connected, char *ret_error, size_t size);
