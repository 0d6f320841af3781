/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ctl/ssdt.c: the table of P-states, byte for byte, and its limits. tests/guest-acpi.sh compares it
 * with what iasl makes of the lab's ASL. */
#include "tests/unit/test.h"

#include "ctl/ssdt.h"

static struct aml aml;
static const struct frequencies two = {2, {3000000, 600000}};

/* As iasl 20200925 compiles it, but for who made it (VMFQ 1) and the checksum. */
static const char golden[] =
	/* the header */
	"53 53 44 54  bb 00 00 00  02 78  56 4d 46 52 45 51  50 53 54 41 54 45 53 00"
	"01 00 00 00  56 4d 46 51  01 00 00 00"
	/* If (Zero) { External (\_SB.CPUS.C000, DeviceObj) } */
	"a0 14 00  15 5c 2f 03 5f 53 42 5f 43 50 55 53 43 30 30 30 06 00"
	/* Scope (\_SB.CPUS.C000) */
	"10 41 08 5c 2f 03 5f 53 42 5f 43 50 55 53 43 30 30 30"
	/* _PCT */
	"08 5f 50 43 54 12 2c 02"
	"11 14 0a 11 82 0c 00 01 10 00 00 f0 05 00 00 00 00 00 00 79 00"
	"11 14 0a 11 82 0c 00 01 10 00 00 f0 05 00 00 00 00 00 00 79 00"
	/* _PSS: 3000 MHz, 10000 mW; 600 MHz, 400 mW */
	"08 5f 50 53 53 12 20 02"
	"12 0e 06 0b b8 0b 0b 10 27 0a 0a 0a 0a 00 00"
	"12 0e 06 0b 58 02 0b 90 01 0a 0a 0a 0a 01 01"
	/* _PPC, _PSD */
	"08 5f 50 50 43 00"
	"08 5f 50 53 44 12 0c 01 12 09 05 0a 05 00 00 0a fd 01";

static void test_golden(_unused_ void **state)
{
	uint8_t wanted[512];
	size_t n = test_hex(golden, wanted, sizeof(wanted));

	assert_int_equal(ssdt_pstates(&aml, 1, &two), 0);
	assert_int_equal(aml.n, n);
	assert_memory_equal(aml.bytes, wanted, n);
}

/* How often these bytes are in the table. */
static unsigned count(const void *bytes, size_t size)
{
	unsigned n = 0;

	for (size_t i = 0; i + size <= aml.n; i++)
		n += memcmp(aml.bytes + i, bytes, size) == 0;
	return n;
}

/* Each CPU is declared once and has one scope, and a domain by its own number. */
static void test_each_cpu(_unused_ void **state)
{
	assert_int_equal(ssdt_pstates(&aml, 257, &two), 0);
	for (unsigned cpu = 0; cpu < 257; cpu++) {
		char name[5];

		snprintf(name, sizeof(name), "C%03X", cpu);
		EXPECT(count(name, 4) == 2, "%s: %u", name, count(name, 4));
	}
	assert_int_equal(count("C101", 4), 0);
	assert_int_equal(count("\x05\x0a\x05\x00\x00\x0a\xfd\x01", 8), 1);
	assert_int_equal(count("\x05\x0a\x05\x00\x01\x0a\xfd\x01", 8), 1);
	assert_int_equal(count("\x05\x0a\x05\x00\x0a\xff\x0a\xfd\x01", 9), 1);
	assert_int_equal(count("\x05\x0a\x05\x00\x0b\x00\x01\x0a\xfd\x01", 10), 1);
}

static void test_range(_unused_ void **state)
{
	struct frequencies sixteen = {.n = FREQUENCIES_MAX};

	for (unsigned i = 0; i < FREQUENCIES_MAX; i++)
		sixteen.khz[i] = FREQUENCIES_MAX_KHZ - 1000 * i;
	assert_int_equal(ssdt_pstates(&aml, 0, &two), -EINVAL);
	assert_int_equal(ssdt_pstates(&aml, SSDT_CPUS_MAX + 1, &two), -EINVAL);
	assert_int_equal(ssdt_pstates(&aml, SSDT_CPUS_MAX, &two), -EFBIG);
	assert_int_equal(ssdt_pstates(&aml, 128, &sixteen), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_each_cpu),
		cmocka_unit_test(test_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
