/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The eBPF programs' record of a CPU, as guestd reads it. Pure. */
#include "guestd/pelt_record.h"

#include <string.h>

#include "common/macro.h"
#include "common/pelt_decay.h"

#define TRIES	     8U
#define WORDS	     (sizeof(struct pelt_record) / sizeof(uint64_t))
#define PERIOD_SHIFT 20U
#define PERIODS_MAX  512U /* 16 half-lives */

int pelt_record_read(const struct pelt_record *shared, struct pelt_record *ret)
{
	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t sequence = __atomic_load_n(&shared->sequence, __ATOMIC_ACQUIRE);
		const uint64_t *from = (const uint64_t *)shared;
		uint64_t word[WORDS];

		if (sequence == 0)
			return -ENODATA;
		if (sequence & 1)
			continue;
		for (unsigned n = 0; n < WORDS; n++)
			word[n] = __atomic_load_n(from + n, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&shared->sequence, __ATOMIC_RELAXED) != sequence)
			continue;
		memcpy(ret, word, sizeof(*ret));
		return 0;
	}
	return -EAGAIN;
}

void pelt_record_settle(struct pelt_record *record, uint64_t now_nsec)
{
	uint64_t since = MAX(record->stamp_nsec, record->idle_nsec), age;

	if (record->idle_nsec == 0)
		return;
	age = now_nsec > since ? now_nsec - since : 0;
	record->util_avg1024 = (uint16_t)pelt_decay(record->util_avg1024, age);
	record->rt1024 = (uint16_t)pelt_decay(record->rt1024, age);
	record->dl1024 = (uint16_t)pelt_decay(record->dl1024, age);
	record->util_est1024 = 0;
	record->runnable = 0;
	record->uclamp_min1024 = 0;
}

void pelt_record_sent(struct pelt_record *shared, uint16_t wanted1024)
{
	__atomic_store_n(&shared->sent1024, wanted1024, __ATOMIC_RELAXED);
	__atomic_fetch_and(&shared->rung, ~PELT_RUNG_WAITING, __ATOMIC_SEQ_CST);
}

uint64_t pelt_record_fall_nsec(uint32_t from1024, uint32_t to1024)
{
	unsigned low = 0, high = PERIODS_MAX;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (pelt_decay(from1024, (uint64_t)middle << PERIOD_SHIFT) <= to1024)
			high = middle;
		else
			low = middle + 1;
	}
	return (uint64_t)low << PERIOD_SHIFT;
}
