/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the unit tests share: cmocka with the headers that it wants before it, rows of tables that say
 * which one failed, bytes written as hex, and a throw-away directory that stands for "/". */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/macro.h"

/* As assert_true(), with a message that names the row of a table. */
#define EXPECT(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_error("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);        \
			fail_msg(__VA_ARGS__);                                                     \
		}                                                                                  \
	} while (0)

/* As skip(), and says why: .ci/run counts and prints what a test skips inside and passes. */
#define TEST_SKIP(reason)                                                                          \
	do {                                                                                       \
		print_message("SKIP: %s: " reason "\n", __func__);                                 \
		skip();                                                                            \
	} while (0)

/* The bytes that text names: "56 46 01 00". White space is ignored. Their number. */
static inline size_t test_hex(const char *text, uint8_t *buffer, size_t size)
{
	size_t n = 0;

	while (*(text += strspn(text, " \t\n")) != '\0') {
		char pair[3] = {text[0], text[1], '\0'}, *end;
		unsigned long byte = strtoul(pair, &end, 16);

		EXPECT(end == pair + 2 && n < size, "not hex, or too much of it: %s", text);
		buffer[n++] = (uint8_t)byte;
		text += 2;
	}
	return n;
}

/* A pseudo-random number from 0 to 2^32 - 1: the same row for the same seed on each machine. */
static inline uint32_t test_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 32);
}

/* A new directory below $TMPDIR; test_remove_dir() it. */
static inline char *test_make_dir(void)
{
	const char *base = getenv("TMPDIR");
	char *path = NULL;

	assert_true(asprintf(&path, "%s/vmfreq-test-XXXXXX", base && *base ? base : "/tmp") > 0);
	assert_non_null(mkdtemp(path));
	return path;
}

static inline int test_remove_one(const char *path, _unused_ const struct stat *stat,
				  _unused_ int type, _unused_ struct FTW *ftw)
{
	return remove(path);
}

static inline void test_remove_dir(char *path)
{
	assert_int_equal(nftw(path, test_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(path);
}

/* Writes a file below dir, and the directories that lead to it. */
static inline void test_write_bytes(const char *dir, const char *path, const void *data,
				    size_t size)
{
	_cleanup_free_ char *full = NULL;
	_cleanup_fclose_ FILE *file = NULL;

	assert_true(asprintf(&full, "%s/%s", dir, path) > 0);
	for (char *p = full + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
	file = fopen(full, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
}

static inline void test_write(const char *dir, const char *path, const char *text)
{
	test_write_bytes(dir, path, text, strlen(text));
}

/* Whether the file below dir holds exactly that text. */
static inline void test_assert_file(const char *dir, const char *path, const char *text)
{
	_cleanup_free_ char *full = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	char buffer[4096];

	assert_true(asprintf(&full, "%s/%s", dir, path) > 0);
	file = fopen(full, "re");
	EXPECT(file, "%s can't be read", full);
	buffer[fread(buffer, 1, sizeof(buffer) - 1, file)] = '\0';
	assert_string_equal(buffer, text);
}
