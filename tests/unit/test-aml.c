/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ctl/aml.c: the bytes that ACPI 6.5, 20.2 asks for. */
#include "tests/unit/test.h"

#include "ctl/aml.h"

#define HEADER_SIZE 36U

static struct aml aml;

static int setup(_unused_ void **state)
{
	aml_open_table(&aml, "SSDT", "TEST");
	return 0;
}

/* What stands behind the header is this. */
static void expect(const char *hex)
{
	uint8_t wanted[128];
	size_t n = test_hex(hex, wanted, sizeof(wanted));

	EXPECT(aml.n == HEADER_SIZE + n, "%zu bytes, not %s", aml.n - HEADER_SIZE, hex);
	assert_memory_equal(aml.bytes + HEADER_SIZE, wanted, n);
}

static void test_integers(_unused_ void **state)
{
	static const struct {
		uint64_t value;
		const char *hex;
	} rows[] = {
		{0, "00"},
		{1, "01"},
		{2, "0a 02"},
		{255, "0a ff"},
		{256, "0b 00 01"},
		{65535, "0b ff ff"},
		{65536, "0c 00 00 01 00"},
		{UINT32_MAX, "0c ff ff ff ff"},
		{UINT64_C(0x123456789a), "0e 9a 78 56 34 12 00 00 00"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		aml_integer(&aml, rows[i].value);
		expect(rows[i].hex);
	}
}

static void test_paths(_unused_ void **state)
{
	static const struct {
		const char *path, *hex;
	} rows[] = {
		{"\\_SB", "15 5c 5f 53 42 5f 06 00"},
		{"\\_SB.CPUS", "15 5c 2e 5f 53 42 5f 43 50 55 53 06 00"},
		{"\\_SB.A.C001", "15 5c 2f 03 5f 53 42 5f 41 5f 5f 5f 43 30 30 31 06 00"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		aml_external_device(&aml, rows[i].path);
		expect(rows[i].hex);
	}
}

/* A package of so many bytes behind its count: its PkgLength is so many bytes, and says so much. */
static void check_length(unsigned body, unsigned n_bytes, unsigned length)
{
	const uint8_t *at = aml.bytes + HEADER_SIZE + 1;
	size_t package;
	unsigned value;

	setup(NULL);
	package = aml_open_package(&aml, 7);
	for (unsigned i = 0; i < body; i++)
		aml_integer(&aml, 1);
	aml_close(&aml, package);
	value = n_bytes == 1 ? at[0] : at[0] & 0xfU;
	for (unsigned i = 1; i < n_bytes; i++)
		value |= (unsigned)at[i] << (8 * i - 4);
	EXPECT(at[0] >> 6 == (int)n_bytes - 1, "%u: first byte %02x", body, at[0]);
	EXPECT(value == length, "%u: length %u", body, value);
	EXPECT(at[n_bytes] == 7, "%u: the body has moved", body);
	EXPECT(aml.n == HEADER_SIZE + 1 + length, "%u: %zu bytes", body, aml.n);
	assert_int_equal(aml.bytes[aml.n - 1], 1);
}

static void test_lengths(_unused_ void **state)
{
	check_length(61, 1, 63);
	check_length(62, 2, 65);
	check_length(4092, 2, 4095);
	check_length(4093, 3, 4097);
}

static void test_register(_unused_ void **state)
{
	aml_register_io(&aml, 16, 0x5f0);
	expect("11 14 0a 11  82 0c 00 01 10 00 00 f0 05 00 00 00 00 00 00  79 00");
}

static void test_scope(_unused_ void **state)
{
	size_t scope = aml_open_scope(&aml, "\\_SB");

	aml_name(&aml, "_PPC");
	aml_integer(&aml, 0);
	aml_close(&aml, scope);
	expect("10 0c 5c 5f 53 42 5f  08 5f 50 50 43 00");
}

static void test_table(_unused_ void **state)
{
	uint8_t sum = 0;

	aml_integer(&aml, 300);
	assert_int_equal(aml_close_table(&aml), 0);
	assert_memory_equal(aml.bytes, "SSDT\x27\0\0\0\x02", 9);
	assert_memory_equal(aml.bytes + 10, "VMFREQTEST\0\0\0\0\x01\0\0\0VMFQ\x01\0\0\0", 26);
	for (size_t i = 0; i < aml.n; i++)
		sum = (uint8_t)(sum + aml.bytes[i]);
	assert_int_equal(sum, 0);
}

/* To the last byte, and not one more: also where what is missing is a length in the middle. */
static void test_overflow(_unused_ void **state)
{
	size_t package;

	while (aml.n < AML_SIZE_MAX)
		aml_integer(&aml, 1);
	assert_int_equal(aml_close_table(&aml), 0);
	aml_integer(&aml, 1);
	assert_int_equal(aml_close_table(&aml), -EFBIG);
	assert_int_equal(aml.n, AML_SIZE_MAX);

	setup(NULL);
	package = aml_open_package(&aml, 7);
	while (aml.n < AML_SIZE_MAX - 2)
		aml_integer(&aml, 1);
	aml_close(&aml, package);
	assert_int_equal(aml_close_table(&aml), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_integers, setup),
		cmocka_unit_test_setup(test_paths, setup),
		cmocka_unit_test_setup(test_lengths, setup),
		cmocka_unit_test_setup(test_register, setup),
		cmocka_unit_test_setup(test_scope, setup),
		cmocka_unit_test_setup(test_table, setup),
		cmocka_unit_test_setup(test_overflow, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
