/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vsock socket that guests connect to. A door. */
#include "hostd/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
/* After sys/socket.h, which older kernels' needs. */
#include <linux/vm_sockets.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/macro.h"

int listener_open(uint32_t port)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_port = port,
		.svm_cid = VMADDR_CID_ANY,
	};
	_cleanup_close_ int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int listener_take(uint32_t *ret_port)
{
	struct sockaddr_vm address = {};
	socklen_t size = sizeof(address);
	int n = sd_listen_fds(true), flags;

	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	if (n > 1 || sd_is_socket(SD_LISTEN_FDS_START, AF_VSOCK, SOCK_STREAM, true) <= 0)
		return -EPROTOTYPE;
	flags = fcntl(SD_LISTEN_FDS_START, F_GETFL);
	if (flags < 0 || fcntl(SD_LISTEN_FDS_START, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    getsockname(SD_LISTEN_FDS_START, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	*ret_port = address.svm_port;
	return SD_LISTEN_FDS_START;
}

bool listener_is_possible(int root_fd)
{
	/* Not /dev/vhost-vsock, which is there before the module is, and isn't there in our
	 * sandbox. */
	return faccessat(root_fd, "sys/class/misc/vhost-vsock", F_OK, 0) == 0;
}

int listener_accept(int fd, uint32_t *ret_cid, uint32_t *ret_port)
{
	struct sockaddr_vm address = {};
	socklen_t size = sizeof(address);
	int peer = accept4(fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (peer < 0)
		return -errno;
	*ret_cid = address.svm_cid;
	*ret_port = address.svm_port;
	return peer;
}
