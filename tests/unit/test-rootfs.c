/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/rootfs.c: small files below a root that a test replaces. */
#include "tests/unit/test_root.h"

static void test_open(_unused_ void **state)
{
	_cleanup_free_ char *file = NULL, *none = NULL;

	test_write(dir, "file", "x");
	assert_true(asprintf(&file, "%s/file", dir) > 0);
	assert_true(asprintf(&none, "%s/none", dir) > 0);
	assert_int_equal(rootfs_open(none), -ENOENT);
	assert_int_equal(rootfs_open(file), -ENOTDIR);
}

static void test_read(_unused_ void **state)
{
	char buffer[8];

	test_write(dir, "proc/a", "1234567");
	test_write(dir, "proc/b", "12345678");
	test_write(dir, "proc/empty", "");
	assert_int_equal(rootfs_read(root_fd, "proc/a", buffer, sizeof(buffer)), 7);
	assert_string_equal(buffer, "1234567");
	assert_int_equal(rootfs_read(root_fd, "proc/b", buffer, sizeof(buffer)), -EFBIG);
	assert_int_equal(rootfs_read(root_fd, "proc/empty", buffer, sizeof(buffer)), 0);
	assert_string_equal(buffer, "");
	assert_int_equal(rootfs_read(root_fd, "proc/none", buffer, sizeof(buffer)), -ENOENT);
	assert_int_equal(rootfs_read(root_fd, "proc/a/x", buffer, sizeof(buffer)), -ENOTDIR);
	assert_int_equal(rootfs_read(root_fd, "proc", buffer, sizeof(buffer)), -EISDIR);
	assert_int_equal(rootfs_read(root_fd, "proc/empty", buffer, 0), -EFBIG);
}

static void test_reread(_unused_ void **state)
{
	_cleanup_close_ int fd = -EBADF;
	char buffer[16];

	test_write(dir, "stat", "first");
	fd = openat(root_fd, "stat", O_RDONLY | O_CLOEXEC);
	assert_int_equal(rootfs_reread(fd, buffer, sizeof(buffer)), 5);
	assert_int_equal(rootfs_reread(fd, buffer, sizeof(buffer)), 5);
	assert_string_equal(buffer, "first");
	test_write(dir, "stat", "now");
	assert_int_equal(rootfs_reread(fd, buffer, sizeof(buffer)), 3);
	assert_string_equal(buffer, "now");
	assert_int_equal(rootfs_reread(-1, buffer, sizeof(buffer)), -EBADF);
}

static void test_read_line(_unused_ void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *line;
	} rows[] = {
		{"schedutil\n", 9, "schedutil"}, {"schedutil", 9, "schedutil"},
		{"\n", 0, ""},                   {"", 0, ""},
		{"a\nb\n", -EBADMSG, NULL},      {"a\n\n", -EBADMSG, NULL},
		{"\na", -EBADMSG, NULL},         {"123456789012345", 15, "123456789012345"},
		{"123456789012345\n", -EFBIG, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buffer[16];
		int r;

		test_write(dir, "line", rows[i].text);
		r = rootfs_read_line(root_fd, "line", buffer, sizeof(buffer));
		EXPECT(r == rows[i].result, "row %zu gave %d", i, r);
		if (rows[i].line)
			assert_string_equal(buffer, rows[i].line);
	}
	assert_int_equal(rootfs_read_line(root_fd, "none", (char[4]){}, 4), -ENOENT);
}

static void test_read_u64(_unused_ void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} rows[] = {
		{"2400000\n", 0, 2400000},
		{"0", 0, 0},
		{"18446744073709551615\n", 0, UINT64_MAX},
		{"18446744073709551616\n", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"\n", -EINVAL, 0},
		{"-1\n", -EINVAL, 0},
		{"<unsupported>\n", -EINVAL, 0},
		{"1 2\n", -EINVAL, 0},
		{"1\n2\n", -EBADMSG, 0},
		{"00000000000000000000000000000000000001\n", -EFBIG, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 4711;
		int r;

		test_write(dir, "number", rows[i].text);
		r = rootfs_read_u64(root_fd, "number", &value);
		EXPECT(r == rows[i].result, "row %zu gave %d", i, r);
		EXPECT(value == (r < 0 ? 4711 : rows[i].value), "row %zu", i);
	}
	assert_int_equal(rootfs_read_u64(root_fd, "none", &(uint64_t){0}), -ENOENT);
}

static void test_write_file(_unused_ void **state)
{
	test_write(dir, "sys/knob", "0000");
	assert_int_equal(rootfs_write(root_fd, "sys/knob", "1024"), 0);
	test_assert_file(dir, "sys/knob", "1024");
	/* A file that isn't there is never made. */
	assert_int_equal(rootfs_write(root_fd, "sys/none", "1"), -ENOENT);
	assert_int_equal(faccessat(root_fd, "sys/none", F_OK, 0), -1);
	assert_int_equal(rootfs_write(root_fd, "sys", "1"), -EISDIR);
}

/* The kernel's own reason comes back, here that of a full device. */
static void test_write_error(_unused_ void **state)
{
	_cleanup_close_ int dev = rootfs_open("/dev");

	if (faccessat(dev, "full", W_OK, 0) < 0)
		TEST_SKIP("there is no /dev/full");
	assert_int_equal(rootfs_write(dev, "full", "1"), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_read, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_reread, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_read_line, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_read_u64, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_write_file, root_setup, root_teardown),
		cmocka_unit_test(test_write_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
