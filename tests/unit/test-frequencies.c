/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ctl/frequencies.c: the lists on vmfreqctl's command line, right and wrong. */
#include "tests/unit/test.h"

#include "ctl/frequencies.h"

#define LONG_TEXT                                                                                  \
	"600MHz,1111111111111111111111111111111111111111111111111111111111111111111111111111MHz"
#define SIXTEEN                                                                                    \
	"1MHz,2MHz,3MHz,4MHz,5MHz,6MHz,7MHz,8MHz,9MHz,10MHz,11MHz,12MHz,13MHz,14MHz,15MHz,16MHz"

static void test_frequencies(_unused_ void **state)
{
	static const struct {
		const char *text;
		struct frequencies wanted;
	} rows[] = {
		{"600MHz,1.2GHz", {2, {1200000, 600000}}},
		{"1.2GHz,600MHz", {2, {1200000, 600000}}},
		{"1.8ghz,3GHz,600000kHz,2400MHz", {4, {3000000, 2400000, 1800000, 600000}}},
		{"1MHz,100GHz", {2, {100000000, 1000}}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct frequencies list = {};
		char why[100] = "";
		int r = frequencies_parse(rows[i].text, &list, why, sizeof(why));

		EXPECT(r == 0, "'%s': %d, %s", rows[i].text, r, why);
		EXPECT(memcmp(&list, &rows[i].wanted, sizeof(list)) == 0, "'%s'", rows[i].text);
	}
}

static void test_sixteen(_unused_ void **state)
{
	struct frequencies list;
	char why[100];

	assert_int_equal(frequencies_parse(SIXTEEN, &list, why, sizeof(why)), 0);
	assert_int_equal(list.n, 16);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(list.khz[i], 1000 * (16 - i));
}

static void test_bad_frequencies(_unused_ void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "'' is no frequency"},
		{"600MHz", "one frequency"},
		{"600MHz,", "'' is no frequency"},
		{",600MHz", "'' is no frequency"},
		{"600MHz,,1GHz", "'' is no frequency"},
		{"600,1200", "'600' is no frequency"},
		{"600MHz 1200MHz", "'600MHz 1200MHz' is no frequency"},
		{"600MHz, 1200MHz", "' 1200MHz' is no frequency"},
		{"-600MHz,1GHz", "'-600MHz' is no frequency"},
		{"600MHz,0.6GHz", "0.6GHz is there twice"},
		{"1GHz,600MHz,1GHz", "1GHz is there twice"},
		{"0,1GHz", "0 is not between"},
		{"999kHz,1GHz", "999kHz is not between"},
		{"1GHz,100.001GHz", "100.001GHz is not between"},
		{"99999999999999999999GHz,1GHz", "is no frequency"},
		{LONG_TEXT, "is no frequency"},
		/* right up to where a buffer could end */
		{"000000000000000000000000000000000600MHzX,1GHz", "is no frequency"},
		{"0000000000000000000000000000000000600MHzX,1GHz", "is no frequency"},
		{SIXTEEN ",17MHz", "more than 16"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct frequencies list = {.n = 77};
		char why[100] = "";
		int r = frequencies_parse(rows[i].text, &list, why, sizeof(why));

		EXPECT(r == -EINVAL, "'%s': %d", rows[i].text, r);
		EXPECT(strstr(why, rows[i].why), "'%s': %s", rows[i].text, why);
		EXPECT(list.n == 77, "'%s': written", rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frequencies),
		cmocka_unit_test(test_sixteen),
		cmocka_unit_test(test_bad_frequencies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
