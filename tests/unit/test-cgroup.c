/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/cgroup.c: files of /sys as settings. Writes go through a kernel that the test plays (linked
 * with --wrap=rootfs_write). */
#include "tests/unit/test_root.h"

#include "hostd/cgroup.h"

#define VCPU "/machine.slice/machine-qemu\\x2d3\\x2dweb.scope/libvirt/vcpu1"

static struct cgroup_door door;
static struct setting_ops ops;

static int refuse_empty; /* what a write of an empty list gives */
static unsigned writes;

int __real_rootfs_write(int fd, const char *path, const char *text);
int __wrap_rootfs_write(int fd, const char *path, const char *text);

/* A file of the kernel holds what was written last, and no more. */
int __wrap_rootfs_write(int fd, const char *path, const char *text)
{
	writes++;
	if (refuse_empty && strcmp(text, "\n") == 0)
		return refuse_empty;
	if (faccessat(fd, path, F_OK, 0) < 0)
		return -errno;
	assert_true(text[strlen(text) - 1] == '\n');
	test_write(dir, path, text);
	return 0;
}

static int setup(void **state)
{
	int r = root_setup(state);

	door = (struct cgroup_door){.root_fd = root_fd};
	cgroup_setting_ops(&door, &ops);
	refuse_empty = 0;
	writes = 0;
	return r;
}

static void test_read_write(void **state _unused_)
{
	const char *name = "/sys/fs/cgroup/a/cpu.uclamp.min";
	char value[16];

	assert_string_equal(ops.kind, "file");
	assert_int_equal(ops.read(ops.userdata, name, value, sizeof(value)), -ENOENT);
	assert_int_equal(ops.write(ops.userdata, name, "12.50"), -ENOENT);
	test_write(dir, "sys/fs/cgroup/a/cpu.uclamp.min", "0.00\n");
	assert_int_equal(ops.read(ops.userdata, name, value, sizeof(value)), 0);
	assert_string_equal(value, "0.00");
	assert_int_equal(ops.write(ops.userdata, name, "12.50"), 0);
	test_assert_file(dir, "sys/fs/cgroup/a/cpu.uclamp.min", "12.50\n");
	assert_int_equal(ops.write(ops.userdata, name, "1\n2"), -EINVAL);
	test_write(dir, "sys/fs/cgroup/a/cpu.uclamp.min", "1\n2\n");
	assert_int_equal(ops.read(ops.userdata, name, value, sizeof(value)), -EBADMSG);
	test_write(dir, "sys/fs/cgroup/a/cpu.uclamp.min", "a line of more than sixteen\n");
	assert_int_equal(ops.read(ops.userdata, name, value, sizeof(value)), -EFBIG);
}

/* Nothing outside /sys, by whatever name. */
static void test_paths(void **state _unused_)
{
	static const char *const names[] = {"/etc/passwd", "/sys",
					    "/sys/",	   "/sysx/a",
					    "sys/a",	   "",
					    "/",	   "/sys//a",
					    "//sys/a",	   "/sys/../etc/passwd",
					    "/sys/a/..",   "/sys/./a",
					    "/sys/a/.",	   "/sys/a/",
					    "/sys/a/../b", "/proc/sys/kernel/x",
					    "/SYS/a"};
	static const char *const good[] = {"/sys/a", "/sys/a/...", "/sys/..a/b..", "/sys/.a"};
	char value[16];

	test_write(dir, "etc/passwd", "x");
	test_write(dir, "sys/a/b", "x");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT(ops.read(ops.userdata, names[i], value, sizeof(value)) == -EPERM, "%s",
		       names[i]);
		EXPECT(ops.write(ops.userdata, names[i], "1") == -EPERM, "%s", names[i]);
		EXPECT(ops.restore(ops.userdata, names[i], "1") == -EPERM, "%s", names[i]);
		EXPECT(ops.restore(ops.userdata, names[i], "") == -EPERM, "%s", names[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		EXPECT(ops.read(ops.userdata, good[i], value, sizeof(value)) != -EPERM, "%s",
		       good[i]);
	assert_int_equal(writes, 0);
}

/* A populated cgroup can't be given an empty list again: it gets what it would inherit. */
static void test_restore_empty(void **state _unused_)
{
	static const int errors[] = {-ENOSPC, -EINVAL};
	const char *name = "/sys/fs/cgroup" VCPU "/cpuset.cpus";

	test_write(dir, "sys/fs/cgroup" VCPU "/cpuset.cpus", "2-3\n");
	assert_int_equal(ops.restore(ops.userdata, name, ""), 0);
	test_assert_file(dir, "sys/fs/cgroup" VCPU "/cpuset.cpus", "\n");
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		refuse_empty = errors[i];
		test_write(dir, "sys/fs/cgroup" VCPU "/cpuset.cpus", "2-3\n");
		test_write(dir,
			   "sys/fs/cgroup/machine.slice/machine-qemu\\x2d3\\x2dweb.scope/libvirt/"
			   "cpuset.cpus.effective",
			   "0-3\n");
		assert_int_equal(ops.restore(ops.userdata, name, ""), 1);
		test_assert_file(dir, "sys/fs/cgroup" VCPU "/cpuset.cpus", "0-3\n");
		/* A write that isn't a restore says so plainly. */
		assert_int_equal(ops.write(ops.userdata, name, ""), errors[i]);
	}
	/* Only that file, and only that error. */
	refuse_empty = -ENOSPC;
	test_write(dir, "sys/fs/cgroup/a/cpu.uclamp.min", "1\n");
	assert_int_equal(ops.restore(ops.userdata, "/sys/fs/cgroup/a/cpu.uclamp.min", ""), -ENOSPC);
	test_write(dir, "sys/class/cpuset.cpus", "1\n");
	assert_int_equal(ops.restore(ops.userdata, "/sys/class/cpuset.cpus", ""), -ENOSPC);
	refuse_empty = -EPERM;
	assert_int_equal(ops.restore(ops.userdata, name, ""), -EPERM);
	refuse_empty = -ENOSPC;
	test_write(dir, "sys/fs/cgroup/x/y/cpuset.cpus", "1\n");
	assert_int_equal(ops.restore(ops.userdata, "/sys/fs/cgroup/x/y/cpuset.cpus", ""), -ENOENT);
	test_write(dir, "sys/fs/cgroup/cpuset.cpus", "1\n");
	assert_int_equal(ops.restore(ops.userdata, "/sys/fs/cgroup/cpuset.cpus", ""), -ENOENT);
}

static void test_setting_name(void **state _unused_)
{
	char name[64];

	assert_int_equal(cgroup_setting_name("/a/b", "cpuset.cpus", name, sizeof(name)), 35);
	assert_string_equal(name, "file:/sys/fs/cgroup/a/b/cpuset.cpus");
	assert_int_equal(cgroup_setting_name("/a/b", "cpuset.cpus", name, 36), 35);
	assert_int_equal(cgroup_setting_name("/a/b", "cpuset.cpus", name, 35), -ENOBUFS);
	assert_int_equal(cgroup_setting_name("/a/b", "cpuset.cpus", name, 0), -ENOBUFS);
}

static void test_percent(void **state _unused_)
{
	static const struct {
		unsigned util;
		const char *text;
	} rows[] = {{0, "0.00"},     {1, "0.10"},     {128, "12.50"}, {512, "50.00"},
		    {1000, "97.66"}, {1023, "99.90"}, {1024, "max"}};
	char text[16];
	unsigned util;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(uclamp_percent_text(rows[i].util, text, sizeof(text)),
				 strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
	/* There and back is the same, for all of them. */
	for (unsigned i = 0; i <= 1024; i++) {
		assert_true(uclamp_percent_text(i, text, sizeof(text)) > 0);
		assert_int_equal(uclamp_percent_parse(text, &util), 0);
		EXPECT(util == i, "%u came back as %u", i, util);
	}
	assert_int_equal(uclamp_percent_text(1025, text, sizeof(text)), -ERANGE);
	assert_int_equal(uclamp_percent_text(UINT32_MAX, text, sizeof(text)), -ERANGE);
	assert_int_equal(uclamp_percent_text(512, text, 5), -ENOBUFS);
	assert_int_equal(uclamp_percent_text(1024, text, 3), -ENOBUFS);
}

static void test_percent_parse(void **state _unused_)
{
	static const struct {
		const char *text;
		int result;
		unsigned util;
	} rows[] = {
		{"max", 0, 1024},     {"100", 0, 1024},		{"100.00", 0, 1024},
		{"99.96", 0, 1024},   {"12.5", 0, 128},		{"0", 0, 0},
		{"0.05", 0, 1},	      {"0.04", 0, 0},		{"100.01", -ERANGE, 0},
		{"101", -ERANGE, 0},  {"99999999", -ERANGE, 0}, {"", -EINVAL, 0},
		{".5", -EINVAL, 0},   {"5.", -EINVAL, 0},	{"5.123", -EINVAL, 0},
		{"-1", -EINVAL, 0},   {"1 ", -EINVAL, 0},	{"1.x", -EINVAL, 0},
		{"MAX", -EINVAL, 0},  {"1.-1", -EINVAL, 0},	{"max\n", -EINVAL, 0},
		{"1..2", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned util = 4711;
		int r = uclamp_percent_parse(rows[i].text, &util);

		EXPECT(r == rows[i].result, "\"%s\" gave %d", rows[i].text, r);
		EXPECT(util == (r < 0 ? 4711 : rows[i].util), "\"%s\" gave %u", rows[i].text, util);
	}
}

static void test_ancestor(void **state _unused_)
{
	static const struct {
		const char *cgroup;
		const char *ancestors[4];
	} rows[] = {
		{"/a/b/c/d", {"/a/b/c", "/a/b", "/a"}},
		{"/a/b", {"/a"}},
		{"/a", {NULL}},
		{"/", {NULL}},
		{"", {NULL}},
		{"a", {NULL}},
	};
	char text[16];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned n = 0;

		for (; rows[i].ancestors[n]; n++) {
			assert_int_equal(cgroup_ancestor(rows[i].cgroup, n, text, sizeof(text)),
					 strlen(rows[i].ancestors[n]));
			assert_string_equal(text, rows[i].ancestors[n]);
		}
		EXPECT(cgroup_ancestor(rows[i].cgroup, n, text, sizeof(text)) == -ENOENT, "row %zu",
		       i);
		assert_int_equal(cgroup_ancestor(rows[i].cgroup, 99, text, sizeof(text)), -ENOENT);
	}
	assert_int_equal(cgroup_ancestor("/a/b/c/d", 0, text, 6), -ENOBUFS);
	assert_int_equal(cgroup_ancestor("/a/b/c/d", 0, text, 7), 6);
}

static void test_probe(void **state _unused_)
{
	struct vcpu_thread thread = {.tid = 7, .cgroup = VCPU};
	struct cgroup_means means;

	cgroup_probe(root_fd, &thread, 1, &means);
	assert_true(means.own);
	assert_false(means.uclamp || means.cpuset || means.cpuset_restorable);
	test_write(dir, "sys/fs/cgroup" VCPU "/cpu.uclamp.min", "0.00\n");
	test_write(dir, "sys/fs/cgroup" VCPU "/cpuset.cpus", "\n");
	cgroup_probe(root_fd, &thread, 1, &means);
	assert_true(means.own && means.uclamp && means.cpuset);
	assert_false(means.cpuset_restorable);
	test_write(dir, "sys/fs/cgroup" VCPU "/cpuset.cpus", "0-3\n");
	cgroup_probe(root_fd, &thread, 1, &means);
	assert_true(means.cpuset_restorable);
	cgroup_probe(root_fd, &thread, 11, &means);
	assert_false(means.own);
	strcpy(thread.cgroup, "");
	cgroup_probe(root_fd, &thread, 0, &means);
	assert_false(means.own || means.uclamp || means.cpuset);
}

#define CGROUP_TEST(test) cmocka_unit_test_setup_teardown(test, setup, root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CGROUP_TEST(test_read_write),
		CGROUP_TEST(test_paths),
		CGROUP_TEST(test_restore_empty),
		cmocka_unit_test(test_setting_name),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_percent_parse),
		cmocka_unit_test(test_ancestor),
		CGROUP_TEST(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
