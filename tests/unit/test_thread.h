/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of a thread's settings share: thread 7 of a made-up root, which can move, end and
 * give its number to another while it is set. */
#pragma once

#include "tests/unit/test_root.h"

#include "hostd/ledger.h"

#define NAME "7:1000:/vm/vcpu0"

static struct setting_ops ops; /* of the door under test */

static inline void write_thread(unsigned long long start, const char *cgroup)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "7 (CPU 0/KVM) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %llu 20 21 22 23 24 "
		 "25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40\n",
		 start);
	test_write(dir, "proc/7/task/7/stat", text);
	snprintf(text, sizeof(text), "0::%s\n", cgroup);
	test_write(dir, "proc/7/task/7/cgroup", text);
}

/* The thread ends: who holds its directory finds nothing in it any more. */
static inline void end_thread(void)
{
	assert_int_equal(unlinkat(root_fd, "proc/7/task/7/stat", 0), 0);
	assert_int_equal(renameat(root_fd, "proc/7/task", root_fd, "proc/7/ended"), 0);
}

/* Its number is somebody else's. */
static inline void replace_thread(void)
{
	end_thread();
	write_thread(2000, "/foreign");
}

static inline int write_setting(const char *value)
{
	return ops.write(ops.userdata, NAME, value);
}
