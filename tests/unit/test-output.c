/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ctl/output.c: files that are whole or aren't there. */
#include "tests/unit/test.h"

#include <dirent.h>

#include "ctl/output.h"

static char *dir;

static int setup(_unused_ void **state)
{
	dir = test_make_dir();
	return chdir(dir);
}

static int teardown(_unused_ void **state)
{
	test_remove_dir(dir);
	return 0;
}

/* How many files there are: those that were begun are gone. */
static unsigned n_files(void)
{
	DIR *here = opendir(".");
	unsigned n = 0;

	assert_non_null(here);
	while (readdir(here))
		n++;
	closedir(here);
	return n - 2;
}

static void test_new_and_again(_unused_ void **state)
{
	mode_t mask = umask(077);
	struct stat stat;

	assert_int_equal(output_write("file", "one", 3), 0);
	test_assert_file(dir, "file", "one");
	assert_int_equal(output_write("file", "two, longer", 11), 0);
	test_assert_file(dir, "file", "two, longer");
	umask(mask);
	assert_int_equal(lstat("file", &stat), 0);
	assert_int_equal(stat.st_mode & 0777, 0644);
	assert_int_equal(n_files(), 1);
}

/* Whoever has the old one open keeps it, whole. */
static void test_replaces(_unused_ void **state)
{
	_cleanup_close_ int fd = -EBADF;
	char text[8] = "";

	test_write(dir, "file", "old");
	fd = open("file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(output_write("file", "new", 3), 0);
	assert_int_equal(read(fd, text, sizeof(text)), 3);
	assert_string_equal(text, "old");
}

static void test_no_file(_unused_ void **state)
{
	struct stat stat;

	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(symlink("elsewhere", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0644), 0);
	assert_int_equal(output_write("folder", "x", 1), -EEXIST);
	assert_int_equal(output_write("link", "x", 1), -EEXIST);
	assert_int_equal(output_write("fifo", "x", 1), -EEXIST);
	assert_int_equal(output_write("missing/file", "x", 1), -ENOENT);
	assert_int_equal(output_write("", "x", 1), -ENOENT);
	assert_int_equal(lstat("fifo", &stat), 0);
	assert_true(S_ISFIFO(stat.st_mode));
	assert_int_equal(n_files(), 3);
}

static void test_same(_unused_ void **state)
{
	test_write(dir, "a", "");
	test_write(dir, "b", "");
	assert_int_equal(symlink("a", "link"), 0);
	assert_int_equal(link("a", "hard"), 0);
	assert_true(output_is_same("a", "./a"));
	assert_true(output_is_same("a", "link"));
	assert_true(output_is_same("a", "hard"));
	assert_false(output_is_same("a", "b"));
	assert_false(output_is_same("a", "missing"));
	assert_false(output_is_same("missing", "missing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new_and_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
