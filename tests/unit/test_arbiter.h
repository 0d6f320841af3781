/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An arbiter whose figures are plain: no headroom (the kernel's number says that it adds it), no
 * steps unless a test sets them. */
#pragma once

#include "tests/unit/test_level.h"

#include "hostd/arbiter.h"

#define NONE LEVEL_NO_CEILING

/* The floor for a level: test-level.c has it in figures. */
#define F(level1024) (((level1024) * 49 / 50 + 7) / 8 * 8)

static const struct arbiter_config plain = {
	.level = {.step = 1, LEVEL_FIGURES},
	.ceilings = true,
	.invariant = true,
	.kernel_major = 6,
	.kernel_minor = 1,
};
static const struct arbiter_grant all = {.floor_max1024 = 1024, .weight = 100};

static struct arbiter *arbiter;
static uint64_t next; /* of the last want() */

static inline void arbiter_begin(const struct arbiter_config *config)
{
	arbiter = arbiter_new(config);
	assert_non_null(arbiter);
}

/* Another in its place. */
static inline void arbiter_begin_anew(const struct arbiter_config *config)
{
	arbiter_free(arbiter);
	arbiter_begin(config);
}

/* The plain settings, of a host whose means have no ceilings. */
static inline struct arbiter_config floors_alone(void)
{
	struct arbiter_config config = plain;

	config.ceilings = false;
	return config;
}

static inline _unused_ int arbiter_setup(_unused_ void **state)
{
	arbiter_begin(&plain);
	return 0;
}

static inline int arbiter_teardown(_unused_ void **state)
{
	arbiter = arbiter_free(arbiter);
	return 0;
}

static inline uint32_t add(unsigned n_vcpus)
{
	return arbiter_add(arbiter, n_vcpus, &all);
}

static inline void allow(uint32_t domain, unsigned vcpu, const char *cpus)
{
	struct cpumask mask;

	assert_int_equal(cpumask_parse(cpus, &mask), 0);
	arbiter_set_allowed(arbiter, domain, vcpu, &mask, T0);
}

/* A domain of one vCPU, which may be on those CPUs. */
static inline _unused_ uint32_t add_on(const char *cpus)
{
	uint32_t domain = add(1);

	allow(domain, 0, cpus);
	return domain;
}

static inline void say(uint32_t domain, unsigned vcpu, uint16_t util, bool left, uint64_t at)
{
	arbiter_report(arbiter, domain, vcpu,
		       &(struct arbiter_report){.util_avg = util,
						.demand1024 = util,
						.applied1024 = 1024,
						.left = left,
						.trusted = true},
		       T0 + at);
}

/* It is on that CPU: nothing is said of time. */
static inline _unused_ void see(uint32_t domain, unsigned vcpu, unsigned cpu)
{
	arbiter_look(arbiter, domain, vcpu, cpu,
		     &(struct scale_look){.delivered1024 = CAPACITY_SCALE});
}

static inline struct arbiter_want want(uint32_t domain, unsigned vcpu, uint64_t at)
{
	struct arbiter_want ret;

	memset(&ret, 0xa5, sizeof(ret));
	next = 4711;
	arbiter_want(arbiter, domain, vcpu, T0 + at, &ret, &next);
	EXPECT(next > T0 + at, "next is over");
	return ret;
}

static inline uint16_t floor_of(uint32_t domain, unsigned vcpu, uint64_t at)
{
	return want(domain, vcpu, at).floor1024;
}

/* It asks for that: its floor. */
static inline uint16_t ask(uint32_t domain, unsigned vcpu, uint16_t util, uint64_t at)
{
	say(domain, vcpu, util, false, at);
	return floor_of(domain, vcpu, at);
}

/* Its floor once a task has left it. */
static inline uint16_t leave(uint32_t domain, unsigned vcpu, uint16_t util, uint64_t at)
{
	say(domain, vcpu, util, true, at);
	return floor_of(domain, vcpu, at);
}

/* Empties the queue; whether only that domain was in it. */
static inline bool only_queued(uint32_t domain)
{
	return arbiter_next(arbiter) == domain && arbiter_next(arbiter) == ARBITER_NONE;
}

static inline void forget_queue(void)
{
	while (arbiter_next(arbiter) != ARBITER_NONE)
		;
}
