/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the testing listener share: linked with --wrap=getsockopt, so that they say who
 * connects, whoever runs them. */
#pragma once

#include "tests/unit/test.h"

#include <sys/socket.h>
#include <sys/un.h>

static uid_t peer_uid;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	int r = __real_getsockopt(fd, level, name, value, size);

	if (r == 0 && level == SOL_SOCKET && name == SO_PEERCRED)
		((struct ucred *)value)->uid = peer_uid;
	return r;
}

static inline int new_unix_socket(const char *path, struct sockaddr_un *ret)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	assert_true(strlen(path) < sizeof(ret->sun_path));
	strcpy(ret->sun_path, path);
	return fd;
}

/* A client's end, or -errno. */
static inline int dial(const char *path)
{
	struct sockaddr_un address;
	int fd = new_unix_socket(path, &address);

	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -errno;
}
