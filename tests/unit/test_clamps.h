/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of floors and ceilings share: the actuator over a kernel that the test plays. A
 * thread's clamps are refused as uclamp_validate() does it. The files of a cgroup are refused
 * alike, which the kernel doesn't do (it cuts the minimum): so no order of writes but the right one
 * works. */
#pragma once

#include "tests/unit/test_host.h"

#include <sys/mman.h>

#include "common/rootfs.h"
#include "hostd/actuator.h"

static int checked_write(int root_fd, const char *path, const char *text);

#define uclamp_calls_kernel uclamp_calls_unused
#include "hostd/uclamp.c"
#undef uclamp_calls_kernel
#define rootfs_write checked_write
#include "hostd/cgroup.c"
#undef rootfs_write

extern const struct uclamp_calls uclamp_calls_kernel;

#define TID 1002 /* vCPU 1's */

/* As /proc/TID/cgroup has it. */
#define OF_CGROUPS(path) (&(path)[sizeof("sys/fs/cgroup") - 1])

/* Shared with the processes that die. */
static struct kernel {
	uint32_t min, max;
	bool min_is_set, max_is_set; /* a clamp of its own, or the default */
	unsigned writes;	     /* system calls, or files */
	unsigned reads;		     /* of a thread's */
	unsigned points, dies_at;    /* before and after each */
	int error;		     /* of each write */
	int min_error;		     /* of one that has a minimum in it */
} * kernel;

static void pass_point(void)
{
	if (++kernel->points == kernel->dies_at)
		_exit(9);
}

static int play_get(void *userdata _unused_, pid_t tid, struct uclamp_attr *ret)
{
	if (tid != TID)
		return -ESRCH;
	kernel->reads++;
	*ret = (struct uclamp_attr){
		.size = sizeof(*ret), .util_min = kernel->min, .util_max = kernel->max};
	return 0;
}

static int play_set(void *userdata _unused_, pid_t tid, const struct uclamp_attr *attr)
{
	bool with_min = attr->flags & FLAG_UTIL_CLAMP_MIN,
	     with_max = attr->flags & FLAG_UTIL_CLAMP_MAX;
	uint32_t min = with_min ? attr->util_min : kernel->min,
		 max = with_max ? attr->util_max : kernel->max;

	if (tid == 0)
		return -EINVAL; /* uclamp_probe() */
	if (min != UTIL_RESET && max != UTIL_RESET && min > max)
		return -EINVAL;
	if (kernel->error)
		return kernel->error;
	if (kernel->min_error && with_min)
		return kernel->min_error;
	pass_point();
	kernel->writes++;
	kernel->min = min == UTIL_RESET ? 0 : min;
	kernel->max = max == UTIL_RESET ? CAPACITY_SCALE : max;
	if (with_min)
		kernel->min_is_set = min != UTIL_RESET;
	if (with_max)
		kernel->max_is_set = max != UTIL_RESET;
	pass_point();
	return 0;
}

const struct uclamp_calls uclamp_calls_kernel = {play_get, play_set, NULL};

static unsigned percent_of(int root_fd, const char *path)
{
	char text[64];
	unsigned util1024;

	assert_true(rootfs_read_line(root_fd, path, text, sizeof(text)) >= 0);
	assert_int_equal(uclamp_percent_parse(text, &util1024), 0);
	return util1024;
}

static int checked_write(int root_fd, const char *path, const char *text)
{
	const char *base = strrchr(path, '/');
	char other[512], value[64];
	unsigned util1024, bound1024;
	bool is_min;
	int r;

	if (strncmp(base, "/cpu.uclamp.", strlen("/cpu.uclamp.")) != 0)
		return rootfs_write(root_fd, path, text);
	is_min = strcmp(base, "/cpu.uclamp.min") == 0;
	snprintf(other, sizeof(other), "%.*s/cpu.uclamp.%s", (int)(base - path), path,
		 is_min ? "max" : "min");
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(text, "\n"), text);
	assert_int_equal(uclamp_percent_parse(value, &util1024), 0);
	bound1024 = percent_of(root_fd, other);
	if (is_min ? util1024 > bound1024 : util1024 < bound1024)
		return -EINVAL;
	pass_point();
	r = rootfs_write(root_fd, path, text);
	kernel->writes++;
	pass_point();
	return r;
}

/* -- the actuator under test
 * ----------------------------------------------------------------------*/

static struct fixture *f;
static int root_fd;
static struct topology *topology;
static struct actuator *actuator;
static struct actuated actuated;
static struct vcpu_thread thread;
static const struct cpumask all_cpus = {{0xf}};

static inline void play_kernel(void)
{
	kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	assert_ptr_not_equal(kernel, MAP_FAILED);
	kernel->max = CAPACITY_SCALE;
}

static inline int setup_clamps(void **state)
{
	int r = setup(state);

	f = *state;
	play_kernel();
	root_fd = rootfs_open(f->root);
	assert_true(root_fd >= 0);
	assert_int_equal(topology_read(root_fd, &topology), 0);
	actuator = NULL;
	actuated = (struct actuated){};
	thread = (struct vcpu_thread){.tid = TID, .start_time = 1000 + TID};
	strcpy(thread.cgroup, OF_CGROUPS(VCPU "1"));
	return r;
}

static inline struct ledger_tally close_actuator(void)
{
	struct ledger_tally tally = {};

	actuator = actuator_free(actuator, &tally);
	actuated = (struct actuated){};
	return tally;
}

static inline int teardown_clamps(void **state)
{
	close_actuator();
	free(topology);
	close(root_fd);
	munmap(kernel, sizeof(*kernel));
	return teardown(state);
}

#define CLAMPS_TEST(test) cmocka_unit_test_setup_teardown(test, setup_clamps, teardown_clamps)

static inline struct ledger_tally open_actuator(enum actuator_choice choice, bool dry_run)
{
	struct ledger_tally tally;

	f->config.actuator = choice;
	assert_int_equal(
		actuator_new(root_fd, &f->config, topology, dry_run, f->ledger, &actuator, &tally),
		0);
	return tally;
}

static inline int set_clamps(unsigned floor1024, unsigned ceiling1024)
{
	return actuator_set_clamps(actuator, &actuated, &thread, (uint16_t)floor1024,
				   (uint16_t)ceiling1024, &all_cpus);
}

#define assert_clamps(min_, max_)                                                                  \
	do {                                                                                       \
		assert_int_equal(kernel->min, min_);                                               \
		assert_int_equal(kernel->max, max_);                                               \
	} while (0)

/* It is set, and then that stands. */
#define assert_sets(floor_, ceiling_, min_, max_)                                                  \
	do {                                                                                       \
		assert_true(set_clamps(floor_, ceiling_) >= 0);                                    \
		assert_clamps(min_, max_);                                                         \
	} while (0)
