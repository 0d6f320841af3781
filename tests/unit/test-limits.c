/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits and releases until reboot: what holds for whom, and the file that keeps it. */
#include "tests/unit/test.h"

#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

#include "hostd/limits_file.h"
#include "tests/unit/test_malloc.h"

#define A "11111111-2222-3333-4444-5555555555aa"
#define B "99999999-2222-3333-4444-5555555555bb"

struct fixture {
	char *dir, *path;
	struct limits limits;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = test_make_dir();
	assert_true(asprintf(&f->path, "%s/limits", f->dir) > 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	limits_clear(&f->limits);
	test_remove_dir(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static struct domain_limit get(const struct limits *limits, const char *uuid)
{
	uint8_t bytes[DOMAIN_UUID];

	assert_int_equal(uuid_parse(uuid, bytes), 0);
	return limits_get(limits, bytes);
}

static void set(struct limits *limits, const char *uuid, uint8_t percent, bool released)
{
	const struct domain_limit limit = {percent, released};
	uint8_t bytes[DOMAIN_UUID];

	assert_int_equal(uuid_parse(uuid, bytes), 0);
	assert_int_equal(limits_set(limits, bytes, &limit), 0);
}

static void test_uuid(_unused_ void **state)
{
	static const char *const wrong[] = {"",
					    "1",
					    A "0",
					    "11111111-2222-3333-4444-5555555555a",
					    "1111111--2222-3333-4444-5555555555aa",
					    "11111111 2222-3333-4444-5555555555aa",
					    "111111112222333344445555555555aa",
					    "g1111111-2222-3333-4444-5555555555aa"};
	uint8_t bytes[DOMAIN_UUID];
	char text[UUID_TEXT];

	assert_int_equal(uuid_parse("11111111-2222-3333-4444-5555555555AA", bytes), 0);
	assert_int_equal(bytes[4], 0x22);
	assert_int_equal(bytes[15], 0xaa);
	uuid_format(bytes, text);
	assert_string_equal(text, A);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT(uuid_parse(wrong[i], bytes) == -EINVAL, "'%s' was taken", wrong[i]);
}

static void test_what_holds(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(&f->limits, A).percent, LIMIT_NONE);
	assert_false(get(&f->limits, A).released);
	set(&f->limits, A, 50, false);
	set(&f->limits, B, 0, true);
	set(&f->limits, A, 25, false);
	assert_int_equal(f->limits.n, 2);
	assert_int_equal(get(&f->limits, A).percent, 25);
	assert_true(get(&f->limits, B).released);
	/* What says nothing is not kept. */
	set(&f->limits, A, LIMIT_NONE, false);
	assert_int_equal(f->limits.n, 1);
	assert_int_equal(get(&f->limits, A).percent, LIMIT_NONE);
	assert_int_equal(get(&f->limits, B).percent, 0);
	set(&f->limits, A, LIMIT_NONE, false);
	assert_int_equal(f->limits.n, 1);
}

/* The allocator counts what is left behind; under sanitizers they do. The first rounds are for what it
 * keeps by for later ones. */
static void test_nothing_is_left_behind(_unused_ void **state)
{
	size_t used = 0;

	for (unsigned i = 0; i < 100; i++) {
		struct limits limits = {};

		set(&limits, A, 50, false);
		set(&limits, B, 0, true);
		set(&limits, A, 25, false);
		limits_clear(&limits);
		assert_int_equal(limits.n, 0);
		assert_null(limits.entries);
		if (i == 50)
			used = mallinfo2().uordblks;
	}
	assert_int_equal(mallinfo2().uordblks, used);
}

/* Each allocation fails in turn: it is said, and what held before holds. */
static void test_no_memory(void **state)
{
	const struct domain_limit limit = {.percent = 10};
	struct fixture *f = *state;
	uint8_t uuid[DOMAIN_UUID];

	set(&f->limits, A, 50, false);
	assert_int_equal(uuid_parse(B, uuid), 0);
	for (malloc_fails_at = 1; malloc_fails_at <= 3; malloc_fails_at++) {
		char text[] = B " limit=30\n" A " released\nnonsense\n";
		struct limits limits = {};

		malloc_calls = 0;
		/* The first wants memory, and so does the second. */
		EXPECT(limits_parse(&limits, text) == (malloc_fails_at < 3 ? -ENOMEM : 1),
		       "allocation %lu", malloc_fails_at);
		EXPECT(limits.n == malloc_fails_at - 1, "allocation %lu", malloc_fails_at);
		limits_clear(&limits);
	}
	malloc_calls = 0;
	malloc_fails_at = 1;
	assert_int_equal(limits_set(&f->limits, uuid, &limit), -ENOMEM);
	malloc_calls = 0;
	assert_null(limits_format(&f->limits));
	malloc_fails_at = 0;
	assert_int_equal(f->limits.n, 1);
	assert_int_equal(get(&f->limits, A).percent, 50);
	assert_int_equal(get(&f->limits, B).percent, LIMIT_NONE);
}

static void test_floor_max(_unused_ void **state)
{
	static const struct {
		struct domain_limit limit;
		uint16_t config, expect;
	} rows[] = {
		{{100, false}, 1024, 1024}, {{50, false}, 1024, 512}, {{50, false}, 400, 400},
		{{0, false}, 1024, 0},	    {{100, true}, 1024, 0},   {{1, false}, 1024, 10},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(limit_floor_max(&rows[i].limit, rows[i].config) == rows[i].expect,
		       "row %zu: %u", i, limit_floor_max(&rows[i].limit, rows[i].config));
}

static void test_file(void **state)
{
	struct fixture *f = *state;
	struct limits again = {};

	assert_int_equal(limits_load(f->path, &again), 0);
	assert_int_equal(again.n, 0);
	set(&f->limits, A, 50, true);
	set(&f->limits, B, 0, false);
	assert_int_equal(limits_save(f->path, &f->limits), 0);
	test_assert_file(f->dir, "limits",
			 "# What vmfreqctl laid on domains, until the next reboot.\n" A
			 " limit=50 released\n" B " limit=0\n");
	assert_int_equal(limits_load(f->path, &again), 0);
	assert_int_equal(again.n, 2);
	assert_int_equal(get(&again, A).percent, 50);
	assert_true(get(&again, A).released);
	assert_int_equal(get(&again, B).percent, 0);
	/* One that is released without a limit: it has none when it is taken back. */
	set(&again, A, LIMIT_NONE, true);
	assert_int_equal(limits_save(f->path, &again), 0);
	test_assert_file(f->dir, "limits",
			 "# What vmfreqctl laid on domains, until the next reboot.\n" A
			 " released\n" B " limit=0\n");
	/* With nothing to say there is no file. */
	set(&again, A, LIMIT_NONE, false);
	set(&again, B, LIMIT_NONE, false);
	assert_int_equal(limits_save(f->path, &again), 0);
	assert_int_not_equal(access(f->path, F_OK), 0);
	assert_int_equal(limits_save(f->path, &again), 0);
	limits_clear(&again);
}

/* One damaged line is one domain's loss alone. */
static void test_damaged_lines(void **state)
{
	static const char *const damaged[] = {"nonsense\n",	A "\n",
					      A " \n",		A " limit=\n",
					      A " limit=101\n", A " limit=-1\n",
					      A " kimit=50\n",	A " mimit=50\n",
					      A " limit=50%\n", A " limit=50  released\n",
					      A " Released\n",	"x" A " released\n",
					      A " released", /* torn */
					      A " limit=5"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		struct limits limits = {};
		char text[256];

		snprintf(text, sizeof(text), "# head\n\n" B " limit=30\n%s", damaged[i]);
		test_write(f->dir, "limits", text);
		EXPECT(limits_load(f->path, &limits) == 1, "'%s' was taken", damaged[i]);
		EXPECT(limits.n == 1 && get(&limits, B).percent == 30, "with '%s'", damaged[i]);
		limits_clear(&limits);
	}
}

/* A disk that fills up: the file says what it said before, and no scrap is left. */
static void test_disk_full(void **state)
{
	const struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
	struct fixture *f = *state;
	char scrap[512];

	set(&f->limits, A, 50, false);
	assert_int_equal(limits_save(f->path, &f->limits), 0);
	set(&f->limits, B, 10, false);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(limits_save(f->path, &f->limits), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	test_assert_file(f->dir, "limits",
			 "# What vmfreqctl laid on domains, until the next reboot.\n" A
			 " limit=50\n");
	snprintf(scrap, sizeof(scrap), "%s.new", f->path);
	assert_int_not_equal(access(scrap, F_OK), 0);
}

static void test_no_directory(void **state)
{
	struct fixture *f = *state;
	char path[512];

	snprintf(path, sizeof(path), "%s/none/limits", f->dir);
	set(&f->limits, A, 50, false);
	assert_int_equal(limits_save(path, &f->limits), -ENOENT);
	assert_int_equal(limits_load(f->dir, &f->limits), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid),
		cmocka_unit_test_setup_teardown(test_what_holds, setup, teardown),
		cmocka_unit_test(test_nothing_is_left_behind),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
		cmocka_unit_test(test_floor_max),
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
