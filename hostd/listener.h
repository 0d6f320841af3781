/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vsock socket that guests connect to. A door. */
#pragma once

#include <stdint.h>

/* Listens on a vsock port of any CID of ours, without blocking: a descriptor, or -errno.
 * -EADDRNOTAVAIL, -ENODEV or -EAFNOSUPPORT: this kernel has no vsock for guests (vhost_vsock). */
int listener_open(uint32_t port);

/* Takes the next connection: a descriptor and who the kernel says it is, or -errno (-EAGAIN if
 * nobody waits). The CID is the kernel's word: nothing that a guest sends can change it. */
int listener_accept(int fd, uint32_t *ret_cid, uint32_t *ret_port);
