/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/psi.c: the text of /proc/pressure, good and hostile. */
#include "tests/unit/test.h"

#include "guestd/psi.h"

#define SOME	       "some avg10=14.59 avg60=10.48 avg300=4.51 total=24473310\n"
#define LONG	       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SOME_AND(more) "some avg10=1.00 total=1 " more "\n"
#define FULL	       "full avg10=0.00 avg60=0.01 avg300=0.02 total=7\n"

static void test_good(_unused_ void **state)
{
	struct psi psi;

	assert_int_equal(psi_parse(SOME FULL, &psi), 0);
	assert_int_equal(psi.fields,
			 PSI_SOME_AVG10 | PSI_SOME_TOTAL | PSI_FULL_AVG10 | PSI_FULL_TOTAL);
	assert_int_equal(psi.some_avg10_centi, 1459);
	assert_int_equal(psi.some_usec, 24473310);
	assert_int_equal(psi.full_avg10_centi, 0);
	assert_int_equal(psi.full_usec, 7);

	assert_int_equal(psi_parse(SOME, &psi), 0); /* cpu, before Linux 5.13 */
	assert_int_equal(psi.fields, PSI_SOME_AVG10 | PSI_SOME_TOTAL);

	assert_int_equal(psi_parse("some total=18446744073709551615 avg10=100.00\n", &psi), 0);
	assert_int_equal(psi.some_avg10_centi, 10000);
	assert_true(psi.some_usec == UINT64_MAX);
	assert_int_equal(psi_parse("some avg10=1.00 later=x total=5\n", &psi), 0);
}

static void test_bad(_unused_ void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		FULL,
		SOME SOME,
		SOME FULL FULL,
		"some avg10=14.59 avg60=10.48 avg300=4.51 total=24473310", /* cut off */
		SOME "full avg10=0.00 avg60=0.00",
		SOME "full",
		"some avg10=1.00 avg10=1.00 total=1\n",
		"some avg10=1.00 total=1 total=1\n",
		"some avg10=1.00\n",
		"some total=1\n",
		"some avg10=-1.00 total=1\n",
		"some avg10=1.00 total=-1\n",
		"some avg10=100.01 total=1\n",
		"some avg10=1000.00 total=1\n",
		"some avg10=1.0 total=1\n",
		"some avg10=1.000 total=1\n",
		"some avg10=1,00 total=1\n",
		"some avg10=1.00 total=18446744073709551616\n",
		"some avg10=1.00 total=0x10\n",
		"some avg10=1.00 total=\n",
		"some avg10=1.00  total=1\n",
		"some avg10=1.00 total=1 \n",
		"some avg10=1.00 total=1 word\n",
		"some\tavg10=1.00 total=1\n",
		"someavg10=1.00 total=1\n",
		"something avg10=1.00 total=1\n",
		"none avg10=1.00 total=1\n",
		SOME "irrelevant\n",
		SOME "\n",
		SOME_AND(LONG "=1"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct psi psi = {.fields = 0x55};

		EXPECT(psi_parse(texts[i], &psi) == -EBADMSG, "taken: %s", texts[i]);
		EXPECT(psi.fields == 0x55, "written: %s", texts[i]);
	}
}

/* Every prefix of a good text is refused, but for whole lines. */
static void test_truncated(_unused_ void **state)
{
	char text[] = SOME FULL;

	for (size_t n = sizeof(text) - 2; n > 0; n--) {
		struct psi psi;

		text[n] = '\0';
		EXPECT((psi_parse(text, &psi) == 0) == (n == sizeof(SOME) - 1), "%zu bytes", n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
