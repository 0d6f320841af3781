/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/counters_bpf_lack.c: why there is no eBPF, and the words for it. */
#include "tests/unit/test.h"

#include "guestd/counters_bpf_lack.h"

static void test_of(_unused_ void **state)
{
	static const struct {
		enum counters_bpf_stage stage;
		int error;
		enum counters_bpf_lack lack;
	} rows[] = {
		{COUNTERS_BPF_LOAD, 0, COUNTERS_BPF_FINE},
		{COUNTERS_BPF_BUILD, -EOPNOTSUPP, COUNTERS_BPF_NOT_BUILT},
		{COUNTERS_BPF_BTF, -ENOENT, COUNTERS_BPF_NO_BTF},
		{COUNTERS_BPF_CAPABILITY, -EPERM, COUNTERS_BPF_NO_CAPABILITY},
		{COUNTERS_BPF_LOAD, -EPERM, COUNTERS_BPF_FORBIDDEN},
		{COUNTERS_BPF_LOAD, -ENOSYS, COUNTERS_BPF_FORBIDDEN},
		{COUNTERS_BPF_LOAD, -ESRCH, COUNTERS_BPF_NO_TRACEPOINT},
		{COUNTERS_BPF_LOAD, -ENOMEM, COUNTERS_BPF_NO_MEMORY},
		{COUNTERS_BPF_LOAD, -EACCES, COUNTERS_BPF_REJECTED},
		{COUNTERS_BPF_LOAD, -EINVAL, COUNTERS_BPF_REJECTED},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(counters_bpf_lack_of(rows[i].stage, rows[i].error) == rows[i].lack, "row %u",
		       i);
}

static void test_text(_unused_ void **state)
{
	for (int i = 0; i < COUNTERS_BPF_N; i++) {
		EXPECT(counters_bpf_lack_text(i) && *counters_bpf_lack_text(i), "%d has none", i);
		for (int other = 0; other < i; other++)
			assert_string_not_equal(counters_bpf_lack_text(i),
						counters_bpf_lack_text(other));
	}
	assert_string_equal(counters_bpf_lack_text(COUNTERS_BPF_N), "fine");
	assert_string_equal(counters_bpf_lack_text(-1), "fine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
