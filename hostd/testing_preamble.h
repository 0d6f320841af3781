/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In testing builds alone: the first bytes of a connection to the testing listener, which name the
 * CID that the kernel names for a vsock peer, and who may send them. What follows them are the
 * frames of PROTOCOL.md. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TESTING_PREAMBLE     12U /* 8 bytes that are always the same, then the CID, little-endian */
#define TESTING_PENDING_MAX  16U /* connections whose preamble isn't whole */
#define TESTING_TIMEOUT_USEC UINT64_C(2000000)

struct testing_preamble {
	size_t n;
	uint8_t bytes[TESTING_PREAMBLE];
};

/* Why a connection isn't taken: NULL if it is. uid is the kernel's word on who has connected. */
const char *testing_refusal(uid_t uid, unsigned n_pending);

/* Where the next bytes go, and how many are missing: never 0 before the preamble is whole. */
uint8_t *testing_preamble_space(struct testing_preamble *preamble, size_t *ret_size);

/* n bytes have been put there. 1 and the CID, which may be anybody's, when the preamble is whole; 0
 * until then; -EBADMSG as soon as it can't become one. */
int testing_preamble_commit(struct testing_preamble *preamble, size_t n, uint32_t *ret_cid);

/* Writes a whole one: for clients. */
void testing_preamble_put(uint8_t *buffer, uint32_t cid);
