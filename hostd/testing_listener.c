/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Unix socket that stands for vsock in testing builds. A door. */
#include "hostd/testing_listener.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/macro.h"

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* Whether nobody listens on the socket there: only a connection tells. */
static bool is_left_over(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = new_socket();

	return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
	       errno == ECONNREFUSED;
}

static int make_room(const struct sockaddr_un *address)
{
	struct stat stat;

	if (lstat(address->sun_path, &stat) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(stat.st_mode))
		return -EEXIST;
	if (!is_left_over(address))
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

int testing_listener_open(const char *path, struct testing_listener *ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -EBADF;
	struct stat stat;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	r = make_room(&address);
	if (r < 0)
		return r;
	fd = new_socket();
	if (fd < 0)
		return fd;
	/* Before bind(), the file is made with the socket's own mode (Linux, net/unix/af_unix.c:
	 * unix_bind_bsd()): there is no moment when it is open to more. */
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (lstat(path, &stat) < 0 || listen(fd, SOMAXCONN) < 0) {
		r = -errno;
		unlink(path);
		return r;
	}
	*ret = (struct testing_listener){
		.fd = TAKE_FD(fd), .path = path, .device = stat.st_dev, .inode = stat.st_ino};
	return 0;
}

int testing_listener_accept(const struct testing_listener *listener, uid_t *ret_uid)
{
	_cleanup_close_ int peer = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred credentials = {};
	socklen_t size = sizeof(credentials);

	if (peer < 0 || getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	*ret_uid = credentials.uid;
	return TAKE_FD(peer);
}

void testing_listener_close(struct testing_listener *listener)
{
	struct stat stat;

	close(listener->fd);
	if (lstat(listener->path, &stat) == 0 && stat.st_dev == listener->device &&
	    stat.st_ino == listener->inode)
		unlink(listener->path);
}
