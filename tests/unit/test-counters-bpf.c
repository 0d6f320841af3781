/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/counters_bpf.c and the object in it, as far as that goes without a kernel to load it. */
#include "tests/unit/test.h"

#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "guestd/counters_bpf.h"
#include "guestd/pelt.skel.h"
#include "common/pelt_powers.h"

static int setup(void **state)
{
	size_t size;
	const void *bytes = pelt_bpf__elf_bytes(&size);

	*state = bpf_object__open_mem(bytes, size, NULL);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	bpf_object__close(*state);
	return 0;
}

static void test_programs(void **state)
{
	static const struct {
		const char *name, *section;
	} rows[] = {
		{"on_cfs", "tp_btf/pelt_cfs_tp"}, {"on_util_est", "tp_btf/sched_util_est_cfs_tp"},
		{"on_rt", "tp_btf/pelt_rt_tp"},	  {"on_dl", "tp_btf/pelt_dl_tp"},
		{"on_idle", "tp_btf/cpu_idle"},
	};
	struct bpf_program *program = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		program = bpf_object__find_program_by_name(*state, rows[i].name);
		EXPECT(program, "there is no %s", rows[i].name);
		assert_string_equal(bpf_program__section_name(program), rows[i].section);
		assert_int_equal(bpf_program__type(program), BPF_PROG_TYPE_TRACING);
		assert_int_equal(bpf_program__expected_attach_type(program), BPF_TRACE_RAW_TP);
	}
	for (program = NULL; (program = bpf_object__next_program(*state, program));)
		n++;
	assert_int_equal(n, ARRAY_SIZE(rows));
}

static void test_maps(void **state)
{
	const struct bpf_map *records = bpf_object__find_map_by_name(*state, "pelt_records");
	const struct bpf_map *events = bpf_object__find_map_by_name(*state, "pelt_events");
	const struct bpf_map *map = NULL;
	unsigned n = 0;

	assert_non_null(records);
	assert_int_equal(bpf_map__type(records), BPF_MAP_TYPE_ARRAY);
	assert_int_equal(bpf_map__value_size(records), sizeof(struct pelt_record));
	assert_true(bpf_map__map_flags(records) & BPF_F_MMAPABLE);
	assert_non_null(events);
	assert_int_equal(bpf_map__type(events), BPF_MAP_TYPE_RINGBUF);
	while ((map = bpf_object__next_map(*state, map))) {
		size_t size;

		n++;
		if (map == records || map == events)
			continue;
		assert_non_null(bpf_map__initial_value((struct bpf_map *)map, &size));
		if (strstr(bpf_map__name(map), ".rodata"))
			assert_int_equal(size, sizeof(pelt_powers));
		else
			assert_true(size >= sizeof(struct pelt_step) + sizeof(struct pelt_self) &&
				    size <= 48);
	}
	/* those two, the settings and PELT's powers: nothing else of ours is in the kernel */
	assert_int_equal(n, 4);
}

/* In a child that has no capability left, so nothing is loaded whatever the door does. */
static void open_without_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
	const struct counters_bpf_options options = {};
	enum counters_bpf_lack lack = COUNTERS_BPF_N, want = COUNTERS_BPF_NO_CAPABILITY;
	struct counters_bpf *bpf = NULL;
	int r, want_r = -EPERM;

	if (syscall(SYS_capset, &header, none) < 0)
		_exit(2);
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
		want = COUNTERS_BPF_NO_BTF;
		want_r = -ENOENT;
	}
	r = counters_bpf_open(&options, &bpf, &lack);
	_exit(r == want_r && lack == want && !bpf ? 0 : 1);
}

static void test_no_capability(_unused_ void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		open_without_capabilities();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_programs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_maps, setup, teardown),
		cmocka_unit_test(test_no_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
