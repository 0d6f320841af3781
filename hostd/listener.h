/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vsock socket that guests connect to. A door. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Listens on a vsock port of any CID of ours, without blocking: a descriptor, or -errno.
 * -EAFNOSUPPORT: this kernel has no vsock. */
int listener_open(uint32_t port);

/* Takes the socket that systemd listens on for us: a descriptor, without blocking, and its port.
 * -ENOENT: there is none. -EPROTOTYPE: what there is isn't one listening vsock stream socket. */
int listener_take(uint32_t *ret_port);

/* Whether guests of this machine can have a vsock device: whether vhost_vsock is there. */
bool listener_is_possible(int root_fd);

/* Takes the next connection: a descriptor and who the kernel says it is, or -errno (-EAGAIN if
 * nobody waits). The CID is the kernel's word: nothing that a guest sends can change it. */
int listener_accept(int fd, uint32_t *ret_cid, uint32_t *ret_port);
