/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/concern.c: every concern has a name of its own, and a text for people. */
#include "tests/unit/test.h"

#include "hostd/concern.h"

static void test_each(_unused_ void **state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CONCERN_N; i++) {
		const char *name = concern_name(i), *text = concern_text(i, SIGNAL_PROC);

		EXPECT(!name == !text, "concern %u has half of what it needs", i);
		if (!name)
			continue;
		n++;
		EXPECT(strcmp(name, "unknown") != 0, "concern %u has no name", i);
		EXPECT(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name),
		       "'%s' is no name for programs", name);
		EXPECT(strlen(text) > 40 && !strchr(text, '\n'), "%s: '%s'", name, text);
		for (unsigned k = 0; k < i; k++)
			EXPECT(!concern_name(k) || strcmp(concern_name(k), name) != 0,
			       "%s is there twice", name);
	}
	assert_true(n >= 7);
	assert_null(concern_name(CONCERN_N));
	assert_null(concern_text(CONCERN_N, SIGNAL_PROC));
}

/* What a guest may say is what hostd has words for. */
static void test_guests(_unused_ void **state)
{
	for (unsigned i = 0; i < CONCERN_FIRST_OF_HOST; i++)
		EXPECT((NOTICE_KNOWN & 1U << i)
			       ? strcmp(concern_name(i), notice_concern_name(i)) == 0
			       : !concern_name(i),
		       "concern %u", i);
	assert_string_equal(concern_name(NOTICE_SCHED_EXT), "sched_ext");
}

/* Run time in /proc holds under sched_ext, the kernel's util_avg doesn't. */
static void test_sched_ext(_unused_ void **state)
{
	assert_null(strstr(concern_text(NOTICE_SCHED_EXT, SIGNAL_PROC), "too low"));
	assert_non_null(strstr(concern_text(NOTICE_SCHED_EXT, SIGNAL_PROC), "holds"));
	assert_non_null(strstr(concern_text(NOTICE_SCHED_EXT, SIGNAL_EBPF), "too low"));
	assert_string_equal(concern_text(NOTICE_NO_PSI, SIGNAL_PROC),
			    concern_text(NOTICE_NO_PSI, SIGNAL_EBPF));
}

/* What is known of a host, and what is said of it. */
static void test_host(_unused_ void **state)
{
	static const struct {
		struct concern_facts facts;
		uint64_t concerns;
	} rows[] = {
		{{.governors.schedutil.word[0] = 6}, 0},
		{{}, 0},
		{{.governors.none.word[0] = 6}, CONCERN_BIT(CONCERN_NO_CPUFREQ)},
		{{.governors.none.word[0] = 6, .governors.schedutil.word[0] = 6}, 0},
		{{.governors.active.word[0] = 6}, CONCERN_BIT(CONCERN_ACTIVE_MODE)},
		{{.governors.performance.word[0] = 6, .governors.other.word[0] = 6},
		 CONCERN_BIT(CONCERN_PERFORMANCE) | CONCERN_BIT(CONCERN_GOVERNOR)},
		{{.governors.schedutil.word[0] = 6, .sched_ext = true},
		 CONCERN_BIT(CONCERN_HOST_SCHED_EXT)},
		{{.governors.schedutil.word[0] = 6, .taken.word[0] = 6, .failed.word[0] = 6},
		 CONCERN_BIT(CONCERN_MIN_FREQ_TAKEN) | CONCERN_BIT(CONCERN_MIN_FREQ_FAILED)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t concerns = concern_of_host(&rows[i].facts);

		EXPECT(concerns == rows[i].concerns, "row %zu: %llx", i,
		       (unsigned long long)concerns);
		for (unsigned k = 0; k < CONCERN_N; k++)
			EXPECT(!(concerns & CONCERN_BIT(k)) || concern_name(k), "row %zu", i);
	}
	assert_ptr_equal(concern_cpus(&rows[4].facts, CONCERN_ACTIVE_MODE),
			 &rows[4].facts.governors.active);
	assert_null(concern_cpus(&rows[4].facts, CONCERN_HOST_SCHED_EXT));
}

static void test_detail(_unused_ void **state)
{
	struct concern_facts facts = {.governors.active.word[0] = 6};
	char text[CONCERN_DETAIL_MAX];

	concern_detail(&facts, CONCERN_ACTIVE_MODE, text, sizeof(text));
	assert_string_equal(text, "CPUs 1-2");
	concern_detail(&facts, CONCERN_PERFORMANCE, text, sizeof(text));
	assert_string_equal(text, "");
	concern_detail(&facts, CONCERN_NO_CPUFREQ, text, sizeof(text));
	assert_string_equal(text, "");
	/* The longest: each other CPU. */
	for (unsigned i = 0; i < ARRAY_SIZE(facts.taken.word); i++)
		facts.taken.word[i] = UINT64_C(0xaaaaaaaaaaaaaaaa);
	concern_detail(&facts, CONCERN_MIN_FREQ_TAKEN, text, sizeof(text));
	assert_string_equal(text + strlen(text) - strlen(",1021,1023"), ",1021,1023");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),	  cmocka_unit_test(test_guests),
		cmocka_unit_test(test_sched_ext), cmocka_unit_test(test_host),
		cmocka_unit_test(test_detail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
