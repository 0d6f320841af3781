/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/minfreq.c: the minimum frequency of a policy as a setting. */
#include "tests/unit/test_policies.h"

#include "hostd/minfreq.h"

static struct minfreq_door door;
static struct setting_ops ops;

static int setup(void **state)
{
	int r = root_setup(state);

	read_cpus();
	door = (struct minfreq_door){root_fd};
	minfreq_setting_ops(&door, &ops);
	return r;
}

static int teardown(void **state)
{
	free(topology);
	return root_teardown(state);
}

static void test_probe(_unused_ void **state)
{
	assert_int_equal(minfreq_probe(root_fd, topology), 0);
	assert_int_equal(unlinkat(root_fd, CPUFREQ "/policy0/scaling_min_freq", 0), 0);
	assert_int_equal(minfreq_probe(root_fd, topology), 0);
	assert_int_equal(unlinkat(root_fd, CPUFREQ "/policy2/scaling_min_freq", 0), 0);
	assert_int_equal(minfreq_probe(root_fd, topology), -ENOENT);
	topology->n_policies = 0;
	assert_int_equal(minfreq_probe(root_fd, topology), -ENOENT);
}

static void test_settings(_unused_ void **state)
{
	static const struct {
		const char *name, *value;
		int result;
	} rows[] = {{"2", "1800000", 0},	  {"2", "", -EINVAL},
		    {"2", "4294967296", -ERANGE}, {"2", "1800000 1", -EINVAL},
		    {"", "1800000", -EINVAL},	  {"../policy2", "1800000", -EINVAL},
		    {"1024", "1800000", -ERANGE}, {"7", "1800000", -ENOENT}};
	char value[32];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(ops.write(ops.userdata, rows[i].name, rows[i].value) == rows[i].result,
		       "row %zu", i);
	assert_int_equal(ops.read(ops.userdata, "2", value, sizeof(value)), 0);
	assert_string_equal(value, "1800000");
	assert_int_equal(ops.read(ops.userdata, "2", value, 4), -ENOBUFS);
	assert_int_equal(ops.read(ops.userdata, "7", value, sizeof(value)), -ENOENT);
	write_policy(2, "scaling_min_freq", "<unsupported>");
	assert_int_equal(ops.read(ops.userdata, "2", value, sizeof(value)), -EINVAL);
	assert_int_equal(ops.expect(ops.userdata, "2", "9000000", value, sizeof(value)), 0);
	assert_string_equal(value, "3000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_probe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
