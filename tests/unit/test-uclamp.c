/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/uclamp.c: one thread's floor and ceiling, with a kernel that the test plays. */
#include "tests/unit/test_thread.h"

#include <sched.h>

#include "hostd/uclamp.h"

/* The kernel, and one thread of it. */
static struct {
	int get_error, set_error, reset_error;
	uint32_t policy, util_min, util_max;
	bool defined, max_defined; /* a clamp of its own, or the default */
	unsigned sets;
	void (*at_set)(void); /* just before a set takes effect */
	void (*after_set)(void);
	struct uclamp_attr last;
} kernel;

static int fake_get(void *userdata _unused_, pid_t tid, struct uclamp_attr *ret)
{
	if (kernel.get_error)
		return kernel.get_error;
	if (tid != 7)
		return -ESRCH;
	*ret = (struct uclamp_attr){.size = sizeof(*ret),
				    .policy = kernel.policy,
				    .util_min = kernel.util_min,
				    .util_max = kernel.util_max};
	return 0;
}

static uint32_t fake_default(void)
{
	return kernel.policy == SCHED_FIFO ? 700 : 0;
}

#define MIN_FLAG 0x20U
#define MAX_FLAG 0x40U
#define RESET	 UINT32_MAX

/* As uclamp_validate() does it: a reset isn't held against the other. */
static bool is_valid(const struct uclamp_attr *attr)
{
	uint32_t min = attr->flags & MIN_FLAG ? attr->util_min : kernel.util_min;
	uint32_t max = attr->flags & MAX_FLAG ? attr->util_max : kernel.util_max;

	if ((min > 1024 && min != RESET) || (max > 1024 && max != RESET))
		return false;
	return min == RESET || max == RESET || min <= max;
}

/* As __setscheduler_uclamp() does it. */
static void take(const struct uclamp_attr *attr)
{
	if (attr->flags & MIN_FLAG) {
		kernel.defined = attr->util_min != RESET;
		kernel.util_min = kernel.defined ? attr->util_min : fake_default();
	}
	if (attr->flags & MAX_FLAG) {
		kernel.max_defined = attr->util_max != RESET;
		kernel.util_max = kernel.max_defined ? attr->util_max : 1024;
	}
}

static int fake_set(void *userdata _unused_, pid_t tid, const struct uclamp_attr *attr)
{
	bool reset = (attr->flags & MIN_FLAG && attr->util_min == RESET) ||
		     (attr->flags & MAX_FLAG && attr->util_max == RESET);

	kernel.last = *attr;
	if (kernel.set_error)
		return kernel.set_error;
	if (tid != 7)
		return tid == 0 && attr->util_min > 1024 ? -EINVAL : -ESRCH;
	if (reset && kernel.reset_error)
		return kernel.reset_error;
	if (!is_valid(attr))
		return -EINVAL;
	if (kernel.at_set)
		kernel.at_set();
	kernel.sets++;
	take(attr);
	if (kernel.after_set)
		kernel.after_set();
	return 0;
}

static const struct uclamp_calls fake_calls = {fake_get, fake_set, NULL};
static struct uclamp_door door;
static struct setting_ops max_ops;

static int write_max(const char *value)
{
	return max_ops.write(max_ops.userdata, NAME, value);
}

static int write_both(const char *min, const char *max)
{
	return ops.write_both(ops.userdata, NAME, min, max);
}

static int setup(void **state)
{
	int r = root_setup(state);

	memset(&kernel, 0, sizeof(kernel));
	kernel.util_max = 1024;
	door = (struct uclamp_door){.root_fd = root_fd, .calls = &fake_calls};
	uclamp_setting_ops(&door, &ops, &max_ops);
	write_thread(1000, "/vm/vcpu0");
	return r;
}

static void test_probe(void **state _unused_)
{
	static const struct {
		int error, result;
		bool sysctl;
	} rows[] = {
		{-EINVAL, 0, true},
		{-EINVAL, -EOPNOTSUPP, false}, /* too old to know the flag */
		{-EOPNOTSUPP, -EOPNOTSUPP, true},
		{-EPERM, -EPERM, true},
		{-ENOSYS, -ENOSYS, true},
		{-E2BIG, -E2BIG, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r;

		unlinkat(root_fd, "proc/sys/kernel/sched_util_clamp_min", 0);
		if (rows[i].sysctl)
			test_write(dir, "proc/sys/kernel/sched_util_clamp_min", "1024\n");
		kernel.set_error = rows[i].error;
		r = uclamp_probe(&door);
		EXPECT(r == rows[i].result, "row %zu gave %d", i, r);
		assert_int_equal(kernel.sets, 0);
		assert_int_equal(kernel.last.util_min, 2048);
	}
}

static void test_read(void **state _unused_)
{
	char value[16];

	kernel.util_min = 512;
	assert_int_equal(ops.read(ops.userdata, NAME, value, sizeof(value)), 0);
	assert_string_equal(value, "512");
	assert_int_equal(ops.read(ops.userdata, NAME, value, 3), -ENOBUFS);
	assert_int_equal(ops.read(ops.userdata, "8:1000:/x", value, sizeof(value)), -ESRCH);
	assert_int_equal(ops.read(ops.userdata, "7:1001:/vm/vcpu0", value, sizeof(value)), -ESRCH);
	assert_int_equal(ops.read(ops.userdata, "garbage", value, sizeof(value)), -EINVAL);
	kernel.get_error = -EPERM;
	assert_int_equal(ops.read(ops.userdata, NAME, value, sizeof(value)), -EPERM);
}

/* Only the one field is asked for, and everything else is kept. */
static void test_write_floor(void **state _unused_)
{
	assert_int_equal(write_setting("512"), 0);
	assert_int_equal(kernel.util_min, 512);
	assert_true(kernel.defined);
	assert_int_equal(kernel.last.flags, 0x38);
	assert_int_equal(kernel.last.size, 56);
	assert_int_equal(kernel.last.util_max, 0);
	assert_int_equal(write_setting("1024"), 0);
	assert_int_equal(kernel.util_min, 1024);
	/* The default is a reset: as if nobody had ever asked. */
	assert_int_equal(write_setting("0"), 0);
	assert_int_equal(kernel.util_min, 0);
	assert_false(kernel.defined);
	assert_int_equal(kernel.sets, 3);

	assert_int_equal(write_setting("1025"), -ERANGE);
	assert_int_equal(write_setting("-1"), -EINVAL);
	assert_int_equal(write_setting(""), -EINVAL);
	assert_int_equal(write_setting("4294967295"), -ERANGE);
	kernel.util_max = 300;
	assert_int_equal(write_setting("301"), -EINVAL);
	assert_int_equal(kernel.sets, 3);
}

static void test_write_ceiling(void **state _unused_)
{
	char value[16];

	kernel.util_min = 200;
	assert_int_equal(write_max("512"), 0);
	assert_int_equal(kernel.util_max, 512);
	assert_true(kernel.max_defined);
	assert_int_equal(kernel.last.flags, 0x58);
	assert_int_equal(kernel.last.util_min, 0);
	assert_int_equal(max_ops.read(max_ops.userdata, NAME, value, sizeof(value)), 0);
	assert_string_equal(value, "512");
	/* Not below the floor. */
	assert_int_equal(write_max("199"), -EINVAL);
	assert_int_equal(write_max("200"), 0);
	/* The default is a reset here, too. */
	assert_int_equal(write_max("1024"), 0);
	assert_int_equal(kernel.util_max, 1024);
	assert_false(kernel.max_defined);
	assert_int_equal(kernel.util_min, 200);
	assert_int_equal(kernel.sets, 3);
	assert_int_equal(write_max("1025"), -ERANGE);
	assert_int_equal(write_max(""), -EINVAL);
	assert_int_equal(kernel.sets, 3);
	kernel.reset_error = -EINVAL;
	assert_int_equal(write_max("1024"), 0);
	assert_true(kernel.max_defined);
}

/* Both with one call, also where each by itself would be refused. */
static void test_write_both(void **state _unused_)
{
	assert_int_equal(write_both("300", "400"), 0);
	assert_int_equal(kernel.last.flags, 0x78);
	assert_int_equal(write_setting("500"), -EINVAL);
	assert_int_equal(write_both("500", "600"), 0);
	assert_int_equal(write_max("200"), -EINVAL);
	assert_int_equal(write_both("100", "200"), 0);
	assert_int_equal(write_both("200", "100"), -EINVAL);
	assert_int_equal(kernel.util_min, 100);
	assert_int_equal(kernel.util_max, 200);
	assert_int_equal(kernel.sets, 3);
	/* One goes back, the other on; then both go back. */
	assert_int_equal(write_both("700", "1024"), 0);
	assert_int_equal(kernel.util_min, 700);
	assert_true(kernel.defined);
	assert_int_equal(kernel.util_max, 1024);
	assert_false(kernel.max_defined);
	assert_int_equal(write_both("0", "1024"), 0);
	assert_false(kernel.defined || kernel.max_defined);
	assert_int_equal(kernel.sets, 5);
	kernel.reset_error = -EINVAL;
	assert_int_equal(write_both("0", "600"), 0);
	assert_true(kernel.defined && kernel.max_defined);
	assert_int_equal(kernel.util_max, 600);
	assert_int_equal(write_both("0", "1025"), -ERANGE);
	assert_int_equal(write_both("-1", "600"), -EINVAL);
}

static void test_real_time(void **state _unused_)
{
	kernel.policy = SCHED_FIFO;
	kernel.util_min = 700;
	test_write(dir, "proc/sys/kernel/sched_util_clamp_min_rt_default", "700\n");
	assert_int_equal(write_setting("0"), 0);
	assert_true(kernel.defined);
	assert_int_equal(kernel.util_min, 0);
	assert_int_equal(write_setting("700"), 0);
	assert_false(kernel.defined);
	assert_int_equal(kernel.util_min, 700);
}

/* Before Linux 5.11 there is no reset. */
static void test_no_reset(void **state _unused_)
{
	kernel.reset_error = -EINVAL;
	kernel.util_min = 5;
	assert_int_equal(write_setting("0"), 0);
	assert_int_equal(kernel.util_min, 0);
	assert_true(kernel.defined);
	kernel.reset_error = -EPERM;
	assert_int_equal(write_setting("0"), -EPERM);
}

static void test_gone(void **state _unused_)
{
	write_thread(1001, "/vm/vcpu0");
	assert_int_equal(write_setting("5"), -ESRCH);
	write_thread(1000, "/vm/emulator");
	assert_int_equal(write_setting("5"), -ESRCH);
	assert_int_equal(kernel.sets, 0);
	/* Whichever cgroup it is in by now, what we did is undone. */
	kernel.util_min = 512;
	kernel.util_max = 600;
	assert_int_equal(ops.restore(ops.userdata, NAME, "0"), 0);
	assert_int_equal(kernel.util_min, 0);
	assert_false(kernel.defined);
	assert_int_equal(kernel.util_max, 600);
	assert_int_equal(max_ops.restore(max_ops.userdata, NAME, "1024"), 0);
	assert_int_equal(kernel.util_max, 1024);
	write_thread(1001, "/vm/emulator");
	assert_int_equal(ops.restore(ops.userdata, NAME, "0"), -ESRCH);
	unlinkat(root_fd, "proc/7/task/7/stat", 0);
	assert_int_equal(write_setting("5"), -ESRCH);
	assert_int_equal(ops.restore(ops.userdata, NAME, "0"), -ESRCH);
}

static void become_another(void)
{
	replace_thread();
	kernel.at_set = NULL;
}

static void move(void)
{
	write_thread(1000, "/vm/emulator");
}

static void end(void)
{
	end_thread();
	kernel.get_error = -ESRCH;
}

/* Between check and write the number goes to somebody else's thread: that one is left as it came.
 */
static void test_reused(void **state _unused_)
{
	kernel.at_set = become_another;
	assert_int_equal(write_setting("512"), -ESRCH);
	assert_int_equal(kernel.util_min, 0);
	assert_false(kernel.defined);
	assert_int_equal(kernel.sets, 2);
}

static void become_another_with_clamp(void)
{
	replace_thread();
	kernel.util_min = 99;
	kernel.after_set = NULL;
}

static void become_another_anew(void)
{
	become_another();
	kernel.util_min = 0;
	kernel.util_max = 1024;
}

static void test_reused_both(void **state _unused_)
{
	kernel.at_set = become_another_anew;
	assert_int_equal(write_both("300", "400"), -ESRCH);
	assert_int_equal(kernel.util_min, 0);
	assert_int_equal(kernel.util_max, 1024);
	assert_false(kernel.defined || kernel.max_defined);
	assert_int_equal(kernel.sets, 2);
}

/* Unless it has got a clamp of its own in the meantime. */
static void test_reused_and_clamped(void **state _unused_)
{
	kernel.after_set = become_another_with_clamp;
	assert_int_equal(write_setting("512"), -ESRCH);
	assert_int_equal(kernel.util_min, 99);
	assert_int_equal(kernel.sets, 1);
}

/* Of one alone: the other goes. */
static void test_reused_and_half_clamped(void **state _unused_)
{
	kernel.after_set = become_another_with_clamp;
	assert_int_equal(write_both("300", "400"), -ESRCH);
	assert_int_equal(kernel.util_min, 99);
	assert_int_equal(kernel.util_max, 1024);
	assert_false(kernel.max_defined);
	assert_int_equal(kernel.last.flags, 0x58);
	assert_int_equal(kernel.sets, 2);
}

/* Our own thread was moved meanwhile: it is still ours. */
static void test_moved_meanwhile(void **state _unused_)
{
	kernel.after_set = move;
	assert_int_equal(write_setting("512"), 0);
	assert_int_equal(kernel.util_min, 512);
	assert_int_equal(write_setting("600"), -ESRCH);
	assert_int_equal(ops.restore(ops.userdata, NAME, "0"), 0);
	assert_int_equal(kernel.util_min, 0);
}

static void test_ended_meanwhile(void **state _unused_)
{
	kernel.after_set = end;
	assert_int_equal(write_setting("512"), -ESRCH);
	assert_int_equal(kernel.sets, 1);
}

static void overwrite(void)
{
	kernel.util_min = 77;
}

static void test_read_back(void **state _unused_)
{
	kernel.after_set = overwrite;
	assert_int_equal(write_setting("512"), -EBUSY);
	assert_int_equal(kernel.util_min, 77);
	assert_int_equal(write_both("512", "600"), -EBUSY);
	assert_int_equal(kernel.util_max, 600);
}

static void test_errors(void **state _unused_)
{
	static const int errors[] = {-EINTR,  -EAGAIN, -ESRCH, -EPERM,	   -EBUSY,
				     -ENODEV, -EINVAL, -EIO,   -EOPNOTSUPP};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		kernel.set_error = errors[i];
		assert_int_equal(write_setting("512"), errors[i]);
		assert_int_equal(write_setting("0"), errors[i]);
		assert_int_equal(write_max("512"), errors[i]);
		assert_int_equal(write_both("0", "512"), errors[i]);
		kernel.set_error = 0;
		kernel.get_error = errors[i];
		assert_int_equal(write_setting("512"), errors[i]);
		kernel.get_error = 0;
		assert_int_equal(kernel.sets, 0);
	}
}

static void test_name(void **state _unused_)
{
	struct vcpu_thread thread = {.tid = 7, .start_time = 1000, .cgroup = "/vm/vcpu0"};
	char name[64];

	assert_int_equal(uclamp_min_name(&thread, name, sizeof(name)), strlen("uclamp:" NAME));
	assert_string_equal(name, "uclamp:" NAME);
	assert_int_equal(uclamp_min_name(&thread, name, strlen("uclamp:" NAME)), -ENOBUFS);
	assert_int_equal(uclamp_min_name(&thread, name, 7), -ENOBUFS);
	assert_int_equal(uclamp_min_name(&thread, name, 0), -ENOBUFS);
	assert_int_equal(uclamp_max_name(&thread, name, sizeof(name)), strlen("uclamp_max:" NAME));
	assert_string_equal(name, "uclamp_max:" NAME);
	assert_string_equal(ops.kind, "uclamp");
	assert_string_equal(max_ops.kind, "uclamp_max");
	/* The longest name fits the ledger's. */
	memset(thread.cgroup, 'x', sizeof(thread.cgroup) - 1);
	thread.tid = INT32_MAX;
	thread.start_time = UINT64_MAX;
	assert_true(uclamp_max_name(&thread, (char[SETTING_NAME_MAX]){}, SETTING_NAME_MAX) > 0);
}

/* The machine that runs the tests, whether it can or not: nothing is changed by asking. */
static void test_this_machine(void **state _unused_)
{
	_cleanup_close_ int root = rootfs_open("/");
	struct uclamp_door real = {.root_fd = root, .calls = &uclamp_calls_kernel};
	struct uclamp_attr before, after;
	int r;

	assert_int_equal(uclamp_calls_kernel.get(NULL, 0, &before), 0);
	r = uclamp_probe(&real);
	assert_true(r <= 0);
	assert_int_equal(uclamp_calls_kernel.get(NULL, 0, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(uclamp_calls_kernel.get(NULL, -1, &after) < 0);
	assert_int_equal(after.size, before.size);
}

#define UCLAMP_TEST(test) cmocka_unit_test_setup_teardown(test, setup, root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UCLAMP_TEST(test_probe),
		UCLAMP_TEST(test_read),
		UCLAMP_TEST(test_write_floor),
		UCLAMP_TEST(test_write_ceiling),
		UCLAMP_TEST(test_write_both),
		UCLAMP_TEST(test_real_time),
		UCLAMP_TEST(test_no_reset),
		UCLAMP_TEST(test_gone),
		UCLAMP_TEST(test_reused),
		UCLAMP_TEST(test_reused_and_clamped),
		UCLAMP_TEST(test_reused_both),
		UCLAMP_TEST(test_reused_and_half_clamped),
		UCLAMP_TEST(test_moved_meanwhile),
		UCLAMP_TEST(test_ended_meanwhile),
		UCLAMP_TEST(test_read_back),
		UCLAMP_TEST(test_errors),
		UCLAMP_TEST(test_name),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
