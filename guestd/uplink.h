/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: the connection to the host, non-blocking, on whatever descriptor it is given. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/frame.h"

/* The host must take some of what waits within this. */
#define UPLINK_STALL_USEC UINT64_C(5000000)

/* Opens a non-blocking stream socket that is connected or on its way: a descriptor, or -errno. */
typedef int (*uplink_open_t)(void *userdata, uint32_t cid, uint32_t port);

enum uplink_state { UPLINK_DOWN, UPLINK_CONNECTING, UPLINK_UP };

struct uplink;

/* The real one: AF_VSOCK from a free source port below 1024, which proves CAP_NET_BIND_SERVICE in
 * the guest. -EACCES without that, -EADDRINUSE if all are taken, or the errno of socket or connect.
 */
int uplink_open_vsock(void *userdata, uint32_t cid, uint32_t port);

/* Whether this machine has a vsock device. */
bool uplink_is_possible(int root_fd);

/* NULL if there is no memory. */
struct uplink *uplink_new(uplink_open_t open, void *userdata);
void uplink_free(struct uplink *uplink);

/* Starts to connect: 0, or -errno. The uplink must be down. */
int uplink_connect(struct uplink *uplink, uint32_t cid, uint32_t port, uint64_t now_usec);

/* Closes; what has not been sent is lost. */
void uplink_close(struct uplink *uplink);

enum uplink_state uplink_state(const struct uplink *uplink);
int uplink_fd(const struct uplink *uplink);

/* The epoll events to wait for. */
uint32_t uplink_events(const struct uplink *uplink);

/* Serves these epoll events: finishes connecting, writes what waits, reads once. 0, or -errno if
 * the connection is over (-ECONNRESET: the host closed it); what had been read before stays for
 * uplink_next(). */
int uplink_serve(struct uplink *uplink, uint32_t events, uint64_t now_usec);

/* As frame_decoder_next(). Call it until it returns 0 before the next uplink_serve(). */
int uplink_next(struct uplink *uplink, struct frame *ret);

/* Whether all that was sent has been taken. Reports are only put together then: a host that doesn't
 * read gets fewer and newer ones instead of a queue. */
bool uplink_is_clear(const struct uplink *uplink);

/* Room for the next frame: write it there, then uplink_send() its length. NULL if there is less
 * than `size` of it. */
uint8_t *uplink_space(struct uplink *uplink, size_t size);

/* 0, or -errno if the connection is over. A part may wait for uplink_serve(). */
int uplink_send(struct uplink *uplink, size_t size, uint64_t now_usec);

/* Whether something has waited longer than UPLINK_STALL_USEC without any of it being taken, or the
 * connection has been on its way for that long. */
bool uplink_is_stalled(const struct uplink *uplink, uint64_t now_usec);
