/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/headroom.c: whether the kernel adds a quarter to a floor, or floors have to bring it. */
#include "tests/unit/test.h"

#include "hostd/headroom.h"

#define MHZ 1000U

static void test_by_version(_unused_ void **state)
{
	static const struct {
		unsigned major, minor, headroom;
	} rows[] = {{0, 0, 1024}, {5, 3, 1024},	 {5, 99, 1024}, {6, 0, 1024}, {6, 7, 1024},
		    {6, 8, 1280}, {6, 12, 1280}, {7, 0, 1280},	{7, 7, 1280}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct headroom headroom;

		memset(&headroom, 0xa5, sizeof(headroom));
		headroom_init(&headroom, rows[i].major, rows[i].minor);
		EXPECT(headroom.headroom1024 == rows[i].headroom, "%u.%u", rows[i].major,
		       rows[i].minor);
		assert_int_equal(headroom.plain + headroom.raised, 0);
	}
}

enum what { NOTHING, PLAIN, RAISED };

/* A table of 600, 1200 … 3000 MHz. */
static void test_looks(_unused_ void **state)
{
	static const struct {
		uint16_t floor, capacity;
		uint32_t mhz, step, max;
		enum what what;
	} rows[] = {
		{512, 1024, 1800, 1200, 3000, PLAIN}, /* 1500; 1875 would be 2400 */
		{400, 1024, 1200, 600, 3000, PLAIN},  /* 1171.875, 1464.8 */
		{400, 1024, 1800, 1200, 3000, RAISED},
		{400, 1024, 2400, 1800, 3000, NOTHING}, /* utilization drove it */
		{400, 1024, 600, 0, 3000, NOTHING},
		{400, 1024, 1200, 0, 3000, NOTHING},   /* what is below it isn't known */
		{410, 1024, 1200, 600, 3000, NOTHING}, /* 1201.17 */
		{300, 1024, 1200, 600, 3000, NOTHING}, /* 878.9 and 1098.6: both fit */
		{200, 512, 1200, 600, 3000, PLAIN},    /* a CPU of half the capacity */
		{200, 512, 1800, 1200, 3000, RAISED},
		{0, 1024, 600, 300, 3000, NOTHING},
		{1024, 1024, 3000, 2400, 3000, NOTHING}, /* the end of the table */
		{819, 1024, 2400, 1800, 3000, PLAIN},	 /* 2399.4 and 2999.3 */
		{820, 1024, 3000, 2400, 3000, NOTHING},	 /* 2402.3, 3002.9 */
		{400, 0, 1200, 600, 3000, NOTHING},
		{400, 1024, 1200, 600, 0, NOTHING},
		/* Exactly at a frequency it is that one's; at the step below it is the step's. */
		{512, 1024, 1500, 1200, 3000, PLAIN},
		{512, 1024, 1800, 1500, 3000, NOTHING},
		{512, 1024, 1875, 1500, 3000, RAISED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct headroom headroom;
		bool changed;

		headroom_init(&headroom, 7, 0);
		changed = headroom_look(&headroom, rows[i].floor, 0, rows[i].capacity,
					rows[i].mhz * MHZ, rows[i].step * MHZ, rows[i].max * MHZ);
		EXPECT(!changed, "row %zu", i);
		EXPECT(headroom.plain == (rows[i].what == PLAIN) &&
			       headroom.raised == (rows[i].what == RAISED),
		       "row %zu: %u %u", i, headroom.plain, headroom.raised);
	}
}

static bool look(struct headroom *headroom, enum what what)
{
	return headroom_look(headroom, 400, 319, 1024, what == PLAIN ? 1200 * MHZ : 1800 * MHZ,
			     what == PLAIN ? 600 * MHZ : 1200 * MHZ, 3000 * MHZ);
}

/* Sixteen that are raised and none that is plain: the kernel adds it, whatever its number says. */
static void test_raised(_unused_ void **state)
{
	struct headroom headroom;

	headroom_init(&headroom, 7, 0);
	for (unsigned i = 1; i < HEADROOM_LOOKS; i++)
		assert_false(look(&headroom, RAISED));
	assert_int_equal(headroom.headroom1024, HEADROOM_WITHOUT);
	assert_true(look(&headroom, RAISED));
	assert_int_equal(headroom.headroom1024, HEADROOM_WITH);
	/* It is so: nothing changes. */
	for (unsigned i = 0; i < 10 * HEADROOM_LOOKS; i++)
		assert_false(look(&headroom, RAISED));
	assert_int_equal(headroom.headroom1024, HEADROOM_WITH);
}

/* A thread of 320 runs at 1.25 x 320 by itself. */
static void test_its_own_utilization(_unused_ void **state)
{
	struct headroom headroom;

	headroom_init(&headroom, 7, 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_false(headroom_look(&headroom, 400, 320, 1024, 1800 * MHZ, 1200 * MHZ,
					   3000 * MHZ));
	assert_int_equal(headroom.raised, 0);
	headroom_init(&headroom, 6, 1);
	for (unsigned i = 0; i < HEADROOM_LOOKS / 4 - 1; i++)
		assert_false(headroom_look(&headroom, 400, 1024, 1024, 1200 * MHZ, 600 * MHZ,
					   3000 * MHZ));
	assert_true(headroom_look(&headroom, 400, 1024, 1024, 1200 * MHZ, 600 * MHZ, 3000 * MHZ));
	assert_int_equal(headroom.headroom1024, HEADROOM_WITHOUT);
}

/* A few that are plain say that nothing is added: utilization can only drive it up. */
static void test_plain(_unused_ void **state)
{
	struct headroom headroom;

	headroom_init(&headroom, 6, 1);
	for (unsigned i = 0; i < HEADROOM_LOOKS / 4 - 1; i++) {
		assert_false(look(&headroom, PLAIN));
		assert_false(look(&headroom, RAISED));
	}
	assert_true(look(&headroom, PLAIN));
	assert_int_equal(headroom.headroom1024, HEADROOM_WITHOUT);
	assert_int_equal(headroom.plain, 0);
	assert_int_equal(headroom.raised, 0);
	for (unsigned i = 0; i < HEADROOM_LOOKS; i++)
		assert_false(look(&headroom, PLAIN));
	/* And for good. */
	for (unsigned i = 0; i < 10 * HEADROOM_LOOKS; i++)
		assert_false(look(&headroom, RAISED));
	assert_int_equal(headroom.headroom1024, HEADROOM_WITHOUT);
}

/* One plain look among any number of the others, and it isn't said that the kernel adds. */
static void test_one_plain_look(_unused_ void **state)
{
	struct headroom headroom;

	headroom_init(&headroom, 7, 0);
	assert_false(look(&headroom, PLAIN));
	for (unsigned i = 0; i < 1000; i++)
		assert_false(look(&headroom, RAISED));
	assert_int_equal(headroom.raised, UINT8_MAX);
	assert_int_equal(headroom.headroom1024, HEADROOM_WITHOUT);
	for (unsigned i = 0; i < 3; i++)
		assert_false(look(&headroom, PLAIN));
	assert_int_equal(headroom.plain + headroom.raised, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_version),     cmocka_unit_test(test_looks),
		cmocka_unit_test(test_raised),	       cmocka_unit_test(test_plain),
		cmocka_unit_test(test_one_plain_look), cmocka_unit_test(test_its_own_utilization),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
