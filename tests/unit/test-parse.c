/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/parse.c: numbers with units, out of good and hostile text. */
#include "tests/unit/test.h"

#include "common/parse.h"

#define UNTOUCHED UINT64_C(0xdeadbeefcafe)

struct row {
	const char *text;
	int result;
	uint64_t value;
};

static void check_rows(int (*parse)(const char *, uint64_t *), const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = UNTOUCHED;
		int r = parse(rows[i].text, &value);

		EXPECT(r == rows[i].result, "'%s' gave %d", rows[i].text, r);
		EXPECT(value == (r < 0 ? UNTOUCHED : rows[i].value), "'%s' gave %llu",
		       rows[i].text, (unsigned long long)value);
	}
}

static void test_u64(_unused_ void **state)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"7", 0, 7},
		{"007", 0, 7},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"18446744073709551620", -ERANGE, 0},
		{"99999999999999999999999999", -ERANGE, 0},
		{"", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1\n", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
		{"1.0", -EINVAL, 0},
		{"\xb2", -EINVAL, 0},
		{"one", -EINVAL, 0},
	};

	check_rows(parse_u64, rows, ARRAY_SIZE(rows));
}

static void test_u64_max(_unused_ void **state)
{
	uint64_t value = UNTOUCHED;

	assert_int_equal(parse_u64_max("1024", 1024, &value), 0);
	assert_int_equal(value, 1024);
	assert_int_equal(parse_u64_max("1025", 1024, &value), -ERANGE);
	assert_int_equal(parse_u64_max("x", 1024, &value), -EINVAL);
	assert_int_equal(value, 1024);
}

static void test_bool(_unused_ void **state)
{
	static const struct {
		const char *text;
		int result;
		bool value;
	} rows[] = {
		{"yes", 0, true},       {"TRUE", 0, true},   {"On", 0, true},
		{"1", 0, true},         {"no", 0, false},    {"False", 0, false},
		{"OFF", 0, false},      {"0", 0, false},     {"", -EINVAL, false},
		{"y", -EINVAL, false},  {"2", -EINVAL, false}, {"yes ", -EINVAL, false},
		{"yess", -EINVAL, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int before = 0; before < 2; before++) {
			bool value = before;
			int r = parse_bool(rows[i].text, &value);

			EXPECT(r == rows[i].result, "'%s' gave %d", rows[i].text, r);
			EXPECT(value == (r < 0 ? (bool)before : rows[i].value), "'%s'",
			       rows[i].text);
		}
}

static void test_usec(_unused_ void **state)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"0.0", 0, 0},
		{"0ms", 0, 0},
		{"1us", 0, 1},
		{"20ms", 0, 20000},
		{"20MS", 0, 20000},
		{"1.5s", 0, 1500000},
		{"0.000001s", 0, 1},
		{"1.999999us", 0, 1},
		{"2min", 0, 120000000},
		{"18446744073709us", 0, UINT64_C(18446744073709)},
		{"18446744073709s", 0, UINT64_C(18446744073709000000)},
		{"18446744073709min", -ERANGE, 0},
		{"18446744073710us", -ERANGE, 0},
		{"18446744073709.999999us", -ERANGE, 0},
		{"5", -EINVAL, 0},
		{"1 s", -EINVAL, 0},
		{"1h", -EINVAL, 0},
		{"1.", -EINVAL, 0},
		{".5s", -EINVAL, 0},
		{"1.s", -EINVAL, 0},
		{"1.2.3s", -EINVAL, 0},
		{"1.0000000s", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"-1s", -EINVAL, 0},
		{"1s ", -EINVAL, 0},
		{"", -EINVAL, 0},
	};

	check_rows(parse_usec, rows, ARRAY_SIZE(rows));
}

static void test_khz(_unused_ void **state)
{
	static const struct row rows[] = {
		{"800000kHz", 0, 800000}, {"800mhz", 0, 800000},   {"2.4GHz", 0, 2400000},
		{"0", 0, 0},              {"2400000", -EINVAL, 0}, {"2.4 GHz", -EINVAL, 0},
		{"1THz", -EINVAL, 0},     {"1Hz", -EINVAL, 0},     {"18446744073709GHz", 0,
							     UINT64_C(18446744073709000000)},
	};

	check_rows(parse_khz, rows, ARRAY_SIZE(rows));
}

static void test_percent(_unused_ void **state)
{
	static const struct row rows[] = {
		{"0%", 0, 0},       {"100%", 0, 1024},  {"50%", 0, 512},
		{"12.5%", 0, 128},  {"5%", 0, 51},      {"0.048%", 0, 0},
		{"0.049%", 0, 1},   {"99.96%", 0, 1024}, {"1000%", 0, 10240},
		{"0", -EINVAL, 0},  {"50", -EINVAL, 0}, {"50 %", -EINVAL, 0},
		{"%", -EINVAL, 0},  {"-5%", -EINVAL, 0}, {"5%%", -EINVAL, 0},
		{"99999999999999999999%", -ERANGE, 0},
		{"18014398509.482%", -ERANGE, 0}, /* would overflow when multiplied */
		{"18014398509.434%", -ERANGE, 0}, /* would overflow when rounded */
		{"18014398509.433%", 0, UINT64_C(184467440737)},
	};

	check_rows(parse_percent1024, rows, ARRAY_SIZE(rows));
}

static void test_column(_unused_ void **state)
{
	const char *cursor = "  12\t34\n56 7x", *before;
	uint64_t value = 0;

	assert_int_equal(parse_column_u64(&cursor, &value), 0);
	assert_int_equal(value, 12);
	assert_int_equal(parse_column_u64(&cursor, &value), 0);
	assert_int_equal(value, 34);
	/* A newline ends the row: the next number is not a column of it. */
	before = cursor;
	assert_int_equal(parse_column_u64(&cursor, &value), -EINVAL);
	assert_ptr_equal(cursor, before);
	cursor++;
	assert_int_equal(parse_column_u64(&cursor, &value), 0);
	assert_int_equal(value, 56);
	before = cursor;
	assert_int_equal(parse_column_u64(&cursor, &value), -EINVAL);
	assert_ptr_equal(cursor, before);
	assert_int_equal(value, 56);
	cursor = "18446744073709551616 1";
	assert_int_equal(parse_column_u64(&cursor, &value), -ERANGE);
	cursor = "9";
	assert_int_equal(parse_column_u64(&cursor, &value), 0);
	assert_int_equal(value, 9);
	assert_int_equal(*cursor, '\0');
	assert_int_equal(parse_column_u64(&cursor, &value), -EINVAL);
	cursor = "-1";
	assert_int_equal(parse_column_u64(&cursor, &value), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),     cmocka_unit_test(test_u64_max),
		cmocka_unit_test(test_bool),    cmocka_unit_test(test_usec),
		cmocka_unit_test(test_khz),     cmocka_unit_test(test_percent),
		cmocka_unit_test(test_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
