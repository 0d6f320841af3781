/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In testing builds alone: the Unix socket that stands for vsock. A door. */
#pragma once

#include <sys/types.h>

struct testing_listener {
	int fd;
	const char *path;
	dev_t device; /* of the socket's file, */
	ino_t inode;  /* so that nobody else's is removed */
};

/* Listens at path, without blocking, with mode 0600. A socket there that nobody listens on any more
 * is left over, and replaced. path outlives it. -EADDRINUSE: somebody listens there; -EEXIST: what
 * is there is no socket; -ENAMETOOLONG; or another -errno. */
int testing_listener_open(const char *path, struct testing_listener *ret);

/* Takes the next connection: a descriptor and whose process it is, or -errno (-EAGAIN if nobody
 * waits). */
int testing_listener_accept(const struct testing_listener *listener, uid_t *ret_uid);

/* Closes it, and removes its file if that is still its own. */
void testing_listener_close(struct testing_listener *listener);
