/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/feedback.c: a guest is told of its speed in steps, and no more of the host than that. */
#include "tests/unit/test.h"

#include "hostd/feedback.h"

static void test_delivered(_unused_ void **state)
{
	static const struct {
		uint16_t capacity;
		uint32_t khz, max_khz;
		uint16_t delivered;
	} rows[] = {
		{1024, 3000000, 3000000, 1024},
		{1024, 1500000, 3000000, 512},
		{512, 1500000, 3000000, 256},
		{512, 0, 3000000, 512},
		{512, 1500000, 0, 512},
		{512, 0, 0, 512},
		{0, 1, 1, 1},
		{1, 1, 3000000, 1},
		{1024, 4000000, 3000000, 1024},
		{1024, UINT32_MAX, 1, 1024},
		{UINT16_MAX, UINT32_MAX, 1, 1024},
		{2000, 0, 0, 1024},
		{1024, 1, UINT32_MAX, 1},
		{600, 2999999, 3000000, 599},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct feedback_vcpu real = {3, rows[i].capacity, rows[i].khz,
						   rows[i].max_khz};

		EXPECT(feedback_delivered1024(&real) == rows[i].delivered, "row %zu: %u", i,
		       feedback_delivered1024(&real));
	}
}

/* What is said is the product alone, of the one frequency that stands for all. */
static void test_steps(_unused_ void **state)
{
	static const struct {
		uint16_t capacity, step;
		uint32_t top_khz;
		uint16_t says;
		uint32_t khz;
	} rows[] = {
		{1024, 64, 3000000, 1024, 3000000},
		{512, 64, 3000000, 512, 1500000},
		{300, 64, 3000000, 320, 937500},
		{256, 64, 3000000, 256, 750000},
		{257, 64, 3000000, 320, 937500},
		{1, 64, 3000000, 64, 187500},
		{900, 300, 3000000, 900, 2636719},
		{901, 300, 3000000, 1024, 3000000},
		{1024, 400, 3000000, 1024, 3000000},
		{1024, 512, 3000000, 1024, 3000000},
		{1, 1, 3000000, 1, 2930},
		{500, 0, 3000000, 500, 1464844},
		{600, 1000, 3000000, 1024, 3000000},
		{512, 64, 0, 512, 512},
		{512, 64, 1023, 512, 512},
		{512, 64, UINT32_MAX, 512, 2147483648U},
		{1024, 64, UINT32_MAX, 1024, UINT32_MAX},
		{1, 1, 3000321, 1, 2931}, /* 2930.0009..., rounded up */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct feedback_vcpu real = {.cpu = 3, .capacity = rows[i].capacity};
		const struct feedback_vcpu nothing = {};
		struct feedback_vcpu say;

		feedback_say(&real, &nothing, rows[i].step, rows[i].top_khz, &say);
		EXPECT(say.cpu == 3 && say.capacity == 1024, "row %zu", i);
		EXPECT(say.freq_max_khz == MAX(rows[i].top_khz, 1024U), "row %zu", i);
		EXPECT(say.freq_khz == rows[i].khz, "row %zu: %u kHz", i, say.freq_khz);
		EXPECT(feedback_delivered1024(&say) == rows[i].says, "row %zu: %u", i,
		       feedback_delivered1024(&say));
	}
}

/* 512 was said: above it something else is at once, below 448 at a quarter of a step from there. */
static void test_told(_unused_ void **state)
{
	static const struct {
		uint16_t real, says;
	} rows[] = {{512, 512}, {513, 576},   {576, 576}, {448, 512}, {433, 512},
		    {432, 448}, {1024, 1024}, {1, 64}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct feedback_vcpu real = {.cpu = 3, .capacity = rows[i].real};
		const struct feedback_vcpu told = {3, 1024, 1500000, 3000000};
		struct feedback_vcpu say;

		feedback_say(&real, &told, 64, 3000000, &say);
		EXPECT(feedback_delivered1024(&say) == rows[i].says, "row %zu: %u", i,
		       feedback_delivered1024(&say));
		EXPECT((rows[i].says == 512) == (memcmp(&say, &told, sizeof(say)) == 0), "row %zu",
		       i);
	}
}

/* Another scale is said anew, however near. */
static void test_another_top(_unused_ void **state)
{
	const struct feedback_vcpu real = {.cpu = 3, .capacity = 512};
	const struct feedback_vcpu told = {3, 1024, 1500000, 3000000};
	struct feedback_vcpu say;

	feedback_say(&real, &told, 64, 2000000, &say);
	assert_int_equal(say.freq_khz, 1000000);
	assert_int_equal(say.freq_max_khz, 2000000);
	/* The caller may keep it in place. */
	feedback_say(&real, &say, 64, 2000000, &say);
	assert_int_equal(say.freq_khz, 1000000);
}

/* However little was said, it was said. */
static void test_told_least(_unused_ void **state)
{
	const struct feedback_vcpu real = {.cpu = 3, .capacity = 1};
	const struct feedback_vcpu told = {3, 1024, 1, 3000000};
	struct feedback_vcpu say;

	feedback_say(&real, &told, 64, 3000000, &say);
	assert_int_equal(say.freq_khz, 1);
}

/* All that it can say is a multiple of the step: so few values, whatever runs beside it. */
static void test_few_values(_unused_ void **state)
{
	struct feedback_vcpu told = {};
	uint64_t seed = 14;
	unsigned changes = 0;

	for (unsigned i = 0; i < 10000; i++) {
		const struct feedback_vcpu real = {
			.cpu = 1,
			.capacity = (uint16_t)(1 + test_random(&seed) % 1024),
			.freq_khz = test_random(&seed) % 3000001,
			.freq_max_khz = 3000000};
		uint16_t real1024 = feedback_delivered1024(&real), said1024;
		struct feedback_vcpu before = told;

		feedback_say(&real, &told, 128, 3000000, &told);
		said1024 = feedback_delivered1024(&told);
		EXPECT(said1024 > 0 && said1024 % 128 == 0, "%u", said1024);
		EXPECT(said1024 >= real1024 && said1024 - real1024 < 160, "%u for %u", said1024,
		       real1024);
		changes += told.freq_khz != before.freq_khz;
	}
	assert_in_range(changes, 100, 9999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivered),  cmocka_unit_test(test_steps),
		cmocka_unit_test(test_told),	   cmocka_unit_test(test_another_top),
		cmocka_unit_test(test_told_least), cmocka_unit_test(test_few_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
