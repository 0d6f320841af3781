/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: the connection to the host, non-blocking, on whatever descriptor it is given. */
#include "guestd/uplink.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
/* After sys/socket.h, which it needs. */
#include <linux/vm_sockets.h>
#include <string.h>

#include "common/macro.h"

#define OUT_SIZE   (2 * FRAME_MAX)
#define PORT_FIRST 512U
#define PORT_LAST  1023U

struct uplink {
	uplink_open_t open;
	void *userdata;
	int fd;
	enum uplink_state state;
	uint64_t progress_usec; /* when the host last took something, or the connection began */
	size_t out_begin, out_end;
	uint8_t out[OUT_SIZE];
	struct frame_decoder decoder;
};

/* Binds to a free privileged port, from a random one on: guests that start together have different
 * CIDs, but a quick restart must not meet its own last connection. */
static int bind_privileged(int fd)
{
	const unsigned n = PORT_LAST - PORT_FIRST + 1;
	uint16_t start = 0;

	if (getrandom(&start, sizeof(start), GRND_NONBLOCK) < 0)
		start = 0;
	for (unsigned i = 0; i < n; i++) {
		struct sockaddr_vm address = {
			.svm_family = AF_VSOCK,
			.svm_cid = VMADDR_CID_ANY,
			.svm_port = PORT_FIRST + (start + i) % n,
		};

		if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

int uplink_open_vsock(_unused_ void *userdata, uint32_t cid, uint32_t port)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
	_cleanup_close_ int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = bind_privileged(fd);
	if (r < 0)
		return r;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return TAKE_FD(fd);
}

bool uplink_is_possible(int root_fd)
{
	/* /dev/vsock by another name, for in our sandbox /dev has none of the machine's devices. */
	return faccessat(root_fd, "sys/class/misc/vsock", F_OK, 0) == 0;
}

struct uplink *uplink_new(uplink_open_t open, void *userdata)
{
	struct uplink *uplink = malloc(sizeof(*uplink));

	if (!uplink)
		return NULL;
	uplink->open = open;
	uplink->userdata = userdata;
	uplink->fd = -EBADF;
	uplink->state = UPLINK_DOWN;
	return uplink;
}

void uplink_free(struct uplink *uplink)
{
	if (!uplink)
		return;
	uplink_close(uplink);
	free(uplink);
}

int uplink_connect(struct uplink *uplink, uint32_t cid, uint32_t port, uint64_t now_usec)
{
	int fd = uplink->open(uplink->userdata, cid, port);

	if (fd < 0)
		return fd;
	uplink->fd = fd;
	uplink->state = UPLINK_CONNECTING;
	uplink->progress_usec = now_usec;
	uplink->out_begin = uplink->out_end = 0;
	frame_decoder_init(&uplink->decoder);
	return 0;
}

void uplink_close(struct uplink *uplink)
{
	closep(&uplink->fd);
	uplink->fd = -EBADF;
	uplink->state = UPLINK_DOWN;
}

enum uplink_state uplink_state(const struct uplink *uplink)
{
	return uplink->state;
}

int uplink_fd(const struct uplink *uplink)
{
	return uplink->fd;
}

uint32_t uplink_events(const struct uplink *uplink)
{
	if (uplink->state == UPLINK_CONNECTING)
		return EPOLLOUT;
	return EPOLLIN | (uplink_is_clear(uplink) ? 0 : EPOLLOUT);
}

static int finish_connect(struct uplink *uplink, uint64_t now_usec)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(uplink->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	if (error != 0)
		return -error;
	uplink->state = UPLINK_UP;
	uplink->progress_usec = now_usec;
	return 0;
}

static int flush(struct uplink *uplink, uint64_t now_usec)
{
	while (uplink->out_begin < uplink->out_end) {
		ssize_t n = send(uplink->fd, uplink->out + uplink->out_begin,
				 uplink->out_end - uplink->out_begin, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		uplink->out_begin += (size_t)n;
		uplink->progress_usec = now_usec;
	}
	uplink->out_begin = uplink->out_end = 0;
	return 0;
}

/* Reads once: epoll tells if there is more, so a flood can't keep us here. */
static int receive(struct uplink *uplink)
{
	size_t size;
	uint8_t *space = frame_decoder_space(&uplink->decoder, &size);
	ssize_t n;

	do
		n = recv(uplink->fd, space, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	frame_decoder_commit(&uplink->decoder, (size_t)n);
	return 0;
}

int uplink_serve(struct uplink *uplink, uint32_t events, uint64_t now_usec)
{
	int r, sent;

	if (uplink->state == UPLINK_CONNECTING) {
		r = finish_connect(uplink, now_usec);
		if (r < 0)
			return r;
	}
	/* Read even if writing failed: the host may have said why before it closed. */
	sent = events & EPOLLOUT ? flush(uplink, now_usec) : 0;
	r = events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? receive(uplink) : 0;
	return sent < 0 ? sent : r;
}

int uplink_next(struct uplink *uplink, struct frame *ret)
{
	return frame_decoder_next(&uplink->decoder, ret);
}

bool uplink_is_clear(const struct uplink *uplink)
{
	return uplink->out_begin == uplink->out_end;
}

uint8_t *uplink_space(struct uplink *uplink, size_t size)
{
	if (uplink->out_begin > 0) {
		memmove(uplink->out, uplink->out + uplink->out_begin,
			uplink->out_end - uplink->out_begin);
		uplink->out_end -= uplink->out_begin;
		uplink->out_begin = 0;
	}
	return size > OUT_SIZE - uplink->out_end ? NULL : uplink->out + uplink->out_end;
}

int uplink_send(struct uplink *uplink, size_t size, uint64_t now_usec)
{
	/* The clock of a stall starts when something begins to wait. */
	if (uplink_is_clear(uplink))
		uplink->progress_usec = now_usec;
	uplink->out_end += size;
	return uplink->state == UPLINK_UP ? flush(uplink, now_usec) : 0;
}

bool uplink_is_stalled(const struct uplink *uplink, uint64_t now_usec)
{
	if (uplink->state == UPLINK_DOWN || (uplink->state == UPLINK_UP && uplink_is_clear(uplink)))
		return false;
	return now_usec - uplink->progress_usec >= UPLINK_STALL_USEC;
}
