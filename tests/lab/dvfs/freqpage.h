/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shared page: each CPU's frequency and each vCPU thread's preemption, kept by the feeder, read
 * by the carriers and, through guest memory, by the payload. One writer. No libc, no clock.
 *
 * Little-endian 64-bit machines only. An aligned word of up to 64 bits is read and written whole;
 * where two belong together, a sequence number is odd while they change. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FREQPAGE_MAGIC	 0x71667276u /* "vrfq" */
#define FREQPAGE_VERSION 1u
#define FREQPAGE_SIZE	 4096u
#define FREQPAGE_CPUS	 16u
#define FREQPAGE_VCPUS	 16u
#define FREQPAGE_BUCKETS 24u /* bucket i: late by less than 2^i us; the last one: more */

struct freqpage_cpu {
	uint32_t khz;	   /* now */
	uint32_t max_khz;  /* cpuinfo_max_freq */
	uint32_t capacity; /* at max_khz, 1..1024 */
	uint32_t unused;
};

struct freqpage_vcpu {
	uint32_t tid; /* 0: nobody feeds this vCPU */
	uint32_t cpu; /* the host CPU that it runs on, or ran on last */
	uint32_t sequence;
	uint32_t unused;
	uint64_t preempted_nsec; /* how long the thread has stood ready without running, by now
				    ended */
	uint64_t since_nsec;	 /* CLOCK_MONOTONIC since which it stands so; 0: it doesn't */
};

struct freqpage {
	uint32_t magic, version;
	uint32_t n_cpus;
	uint32_t unused;
	uint64_t beat_nsec; /* CLOCK_MONOTONIC when the feeder last looked round */
	uint64_t events;    /* changes of frequency that it stored, */
	uint64_t late_usec; /* how long after their timestamps in all, */
	uint64_t late_max_usec;
	uint64_t late[FREQPAGE_BUCKETS];
	uint64_t lost;	/* events that the kernel had no room for */
	uint64_t wrong; /* times a frequency here stood against scaling_cur_freq, and was put right
			 */
	struct freqpage_cpu cpu[FREQPAGE_CPUS];
	struct freqpage_vcpu vcpu[FREQPAGE_VCPUS];
};

_Static_assert(sizeof(struct freqpage) <= FREQPAGE_SIZE, "more than a page");
_Static_assert(sizeof(struct freqpage_cpu) == 16 && sizeof(struct freqpage_vcpu) == 32, "layout");

#define FREQPAGE_GET(field)	   __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define FREQPAGE_SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

/* Written last, so that who sees them sees the rest. */
static inline void freqpage_publish(struct freqpage *page)
{
	FREQPAGE_SET(page->version, FREQPAGE_VERSION);
	__atomic_store_n(&page->magic, FREQPAGE_MAGIC, __ATOMIC_RELEASE);
}

static inline bool freqpage_is_valid(const struct freqpage *page)
{
	return __atomic_load_n(&page->magic, __ATOMIC_ACQUIRE) == FREQPAGE_MAGIC &&
	       FREQPAGE_GET(page->version) == FREQPAGE_VERSION;
}

/* Work that a CPU does in its own time: capacity/1024 x khz/max_khz, in 1/2^20. 0 for a CPU that
 * the page doesn't know. */
static inline uint32_t freqpage_rate20(const struct freqpage *page, uint32_t cpu)
{
	uint64_t khz, max_khz;

	if (cpu >= FREQPAGE_CPUS)
		return 0;
	khz = FREQPAGE_GET(page->cpu[cpu].khz);
	max_khz = FREQPAGE_GET(page->cpu[cpu].max_khz);
	if (max_khz == 0)
		return 0;
	return (uint32_t)(FREQPAGE_GET(page->cpu[cpu].capacity) * khz * 1024 / max_khz);
}

static inline void freqpage_set_preempted(struct freqpage_vcpu *vcpu, uint64_t preempted_nsec,
					  uint64_t since_nsec)
{
	uint32_t sequence = vcpu->sequence;

	FREQPAGE_SET(vcpu->sequence, sequence + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	FREQPAGE_SET(vcpu->preempted_nsec, preempted_nsec);
	FREQPAGE_SET(vcpu->since_nsec, since_nsec);
	__atomic_store_n(&vcpu->sequence, sequence + 2, __ATOMIC_RELEASE);
}

/* False while it is being written, and the results are untouched: a reader that mustn't wait for
 * the writer keeps what it had. */
static inline bool freqpage_get_preempted(const struct freqpage_vcpu *vcpu,
					  uint64_t *ret_preempted_nsec, uint64_t *ret_since_nsec)
{
	uint32_t sequence = __atomic_load_n(&vcpu->sequence, __ATOMIC_ACQUIRE);
	uint64_t preempted_nsec = FREQPAGE_GET(vcpu->preempted_nsec);
	uint64_t since_nsec = FREQPAGE_GET(vcpu->since_nsec);

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (sequence % 2 != 0 || FREQPAGE_GET(vcpu->sequence) != sequence)
		return false;
	*ret_preempted_nsec = preempted_nsec;
	*ret_since_nsec = since_nsec;
	return true;
}

/* The time after which part1000 of 1000 changes were stored, between two readings of late[]: the
 * upper bound of a bucket, in us. 0 if there were none. */
static inline uint64_t freqpage_late_usec(const uint64_t *before, const uint64_t *after,
					  unsigned part1000)
{
	uint64_t all = 0, sum = 0;

	for (unsigned i = 0; i < FREQPAGE_BUCKETS; i++)
		all += after[i] - before[i];
	for (unsigned i = 0; i < FREQPAGE_BUCKETS; i++) {
		sum += after[i] - before[i];
		if (all > 0 && sum * 1000 >= all * part1000)
			return UINT64_C(1) << i;
	}
	return 0;
}
