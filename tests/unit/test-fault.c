/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/fault.c: what an errno means for what we do next. */
#include "tests/unit/test.h"

#include "common/fault.h"

static void test_table(_unused_ void **state)
{
	static const struct {
		int result;
		enum fault fault;
	} rows[] = {
		{0, FAULT_NONE},        {1, FAULT_NONE},       {INT32_MAX, FAULT_NONE},
		{-ESRCH, FAULT_GONE},   {-ENOENT, FAULT_GONE}, {-ENODEV, FAULT_GONE},
		{-ENXIO, FAULT_GONE},   {-EINTR, FAULT_AGAIN}, {-EAGAIN, FAULT_AGAIN},
		{-EBUSY, FAULT_AGAIN},  {-ENOMEM, FAULT_AGAIN}, {-ENOBUFS, FAULT_AGAIN},
		{-ENOSPC, FAULT_AGAIN}, {-EIO, FAULT_AGAIN},   {-EPERM, FAULT_NEVER},
		{-EACCES, FAULT_NEVER}, {-EINVAL, FAULT_NEVER}, {-EOPNOTSUPP, FAULT_NEVER},
		{-ENOSYS, FAULT_NEVER}, {-EROFS, FAULT_NEVER}, {-E2BIG, FAULT_NEVER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(fault_of(rows[i].result) == rows[i].fault, "%d", rows[i].result);
}

/* A surprise must not become a storm of tries. */
static void test_unknown_is_never(_unused_ void **state)
{
	static const int results[] = {-134, -1000, -4095, INT32_MIN + 1};

	for (size_t i = 0; i < ARRAY_SIZE(results); i++)
		EXPECT(fault_of(results[i]) == FAULT_NEVER, "%d", results[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_unknown_is_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
