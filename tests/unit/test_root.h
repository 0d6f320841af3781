/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A made-up "/" for the tests of one door: a new directory for each test, and files in it. */
#pragma once

#include "tests/unit/test.h"

#include "common/rootfs.h"

static char *dir;
static int root_fd;

/* Fit for cmocka; a test that needs more calls them from its own. */
static inline int root_setup(_unused_ void **state)
{
	dir = test_make_dir();
	root_fd = rootfs_open(dir);
	return root_fd < 0;
}

static inline int root_teardown(_unused_ void **state)
{
	close(root_fd);
	test_remove_dir(dir);
	return 0;
}

/* Writes a file below it, whose path has numbers or names in it, and the directories that lead
 * there. */
_printf_(2, 3) static inline void write_file(const char *text, const char *format, ...)
{
	char file[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(file, sizeof(file), format, args);
	va_end(args);
	test_write(dir, file, text);
}
