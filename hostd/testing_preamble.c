/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first bytes of a connection to the testing listener. Pure. */
#include "hostd/testing_preamble.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"
#include "proto/frame.h"

/* No frame begins so: a client that forgets the preamble is told by its first bytes. */
static const uint8_t magic[8] = {'V', 'M', 'F', 'Q', 'T', 'E', 'S', 'T'};

const char *testing_refusal(uid_t uid, unsigned n_pending)
{
	if (uid != 0)
		return "only root may connect";
	if (n_pending >= TESTING_PENDING_MAX)
		return "too many connections that haven't said their CID";
	return NULL;
}

uint8_t *testing_preamble_space(struct testing_preamble *preamble, size_t *ret_size)
{
	*ret_size = TESTING_PREAMBLE - preamble->n;
	return preamble->bytes + preamble->n;
}

int testing_preamble_commit(struct testing_preamble *preamble, size_t n, uint32_t *ret_cid)
{
	preamble->n += n;
	if (memcmp(preamble->bytes, magic, MIN(preamble->n, sizeof(magic))) != 0)
		return -EBADMSG;
	if (preamble->n < TESTING_PREAMBLE)
		return 0;
	*ret_cid = get_u32(preamble->bytes + sizeof(magic));
	return 1;
}

void testing_preamble_put(uint8_t *buffer, uint32_t cid)
{
	memcpy(buffer, magic, sizeof(magic));
	put_u32(buffer + sizeof(magic), cid);
}
