/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/topology.c: the host's CPUs out of files that a test has written. */
#include "tests/unit/test_root.h"

#include "hostd/topology.h"

#define CPU "sys/devices/system/cpu"

static void add_policy(unsigned number, const char *related, const char *governor)
{
	write_file(related, CPU "/cpufreq/policy%u/related_cpus", number);
	write_file("cpufreq-dt\n", CPU "/cpufreq/policy%u/scaling_driver", number);
	write_file(governor, CPU "/cpufreq/policy%u/scaling_governor", number);
	write_file("600000\n", CPU "/cpufreq/policy%u/cpuinfo_min_freq", number);
	write_file("3000000\n", CPU "/cpufreq/policy%u/cpuinfo_max_freq", number);
	write_file("1800000\n", CPU "/cpufreq/policy%u/scaling_cur_freq", number);
}

/* Two little and two big CPUs, threads of cores 0-1 and 2-3. */
static void add_big_little(void)
{
	static const unsigned capacity[] = {300, 300, 1024, 1024};

	write_file("0-3\n", CPU "/possible");
	write_file("0-3\n", CPU "/online");
	for (unsigned i = 0; i < 4; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u\n", capacity[i]);
		write_file(text, CPU "/cpu%u/cpu_capacity", i);
		write_file(i < 2 ? "0\n" : "1\n", CPU "/cpu%u/topology/physical_package_id", i);
		write_file(i < 2 ? "0-1\n" : "2-3\n", CPU "/cpu%u/topology/thread_siblings_list",
			   i);
	}
	add_policy(0, "0 1\n", "schedutil\n");
	add_policy(2, "2 3\n", "schedutil\n");
	write_file("7.3.1+deb14-cloud-amd64\n", "proc/sys/kernel/osrelease");
	write_file("1024\n", "proc/sys/kernel/sched_util_clamp_min");
	write_file("1\n", "proc/sys/kernel/sched_energy_aware");
	write_file("disabled\n", "sys/kernel/sched_ext/state");
}

static struct topology *read_all(void)
{
	struct topology *topology = NULL;

	assert_int_equal(topology_read(root_fd, &topology), 0);
	return topology;
}

static void expect_cpus(const struct cpumask *mask, const char *list)
{
	char text[CPUMASK_TEXT_MAX];

	assert_true(cpumask_format(mask, text, sizeof(text)) >= 0);
	assert_string_equal(text, list);
}

static void test_read(void **state _unused_)
{
	_cleanup_free_ struct topology *topology = NULL;

	add_big_little();
	topology = read_all();
	expect_cpus(&topology->possible, "0-3");
	expect_cpus(&topology->online, "0-3");
	assert_int_equal(topology->n_classes, 2);
	expect_cpus(&topology->class[0].cpus, "0-1");
	assert_int_equal(topology->class[0].capacity1024, 300);
	expect_cpus(&topology->class[1].cpus, "2-3");
	assert_int_equal(topology->class[1].capacity1024, 1024);
	assert_int_equal(topology->cpu[1].class, 0);
	assert_int_equal(topology->cpu[1].capacity1024, 300);
	assert_int_equal(topology->cpu[1].sibling, 0);
	assert_int_equal(topology->cpu[3].sibling, 2);
	assert_int_equal(topology->cpu[3].package, 1);
	assert_int_equal(topology->n_policies, 2);
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		const struct cpufreq_policy *policy = &topology->policy[topology->cpu[cpu].policy];

		assert_int_equal(policy->number, cpu / 2 * 2);
		assert_true(cpumask_has(&policy->related, cpu));
		assert_string_equal(policy->driver, "cpufreq-dt");
		assert_string_equal(policy->governor, "schedutil");
		assert_int_equal(policy->min_khz, 600000);
		assert_int_equal(policy->max_khz, 3000000);
		assert_true(topology_obeys_clamp(topology, cpu));
	}
	assert_int_equal(topology->kernel_major, 7);
	assert_int_equal(topology->kernel_minor, 3);
	assert_true(topology->uclamp_files);
	assert_true(topology->schedutil);
	assert_true(topology->energy_aware);
	assert_false(topology->sched_ext);
	assert_int_equal(topology->cpu[4].class, TOPOLOGY_NONE);
	assert_int_equal(topology->cpu[4].policy, TOPOLOGY_NONE);
	assert_false(topology_obeys_clamp(topology, 4));
	assert_false(topology_obeys_clamp(topology, 5000));
}

/* A virtual machine: nothing but the CPUs. */
static void test_bare(void **state _unused_)
{
	_cleanup_free_ struct topology *topology = NULL;

	write_file("0,2\n", CPU "/online");
	topology = read_all();
	expect_cpus(&topology->possible, "0,2");
	assert_int_equal(topology->n_classes, 1);
	expect_cpus(&topology->class[0].cpus, "0,2");
	assert_int_equal(topology->class[0].capacity1024, 1024);
	assert_int_equal(topology->n_policies, 0);
	assert_int_equal(topology->cpu[2].sibling, 2);
	assert_int_equal(topology->cpu[2].package, TOPOLOGY_NONE);
	assert_int_equal(topology->kernel_major, 0);
	assert_false(topology->schedutil);
	assert_false(topology->uclamp_files);
	assert_false(topology->energy_aware);
}

static void test_errors(void **state _unused_)
{
	struct topology *topology = NULL;

	assert_int_equal(topology_read(root_fd, &topology), -ENOENT);
	write_file("\n", CPU "/online");
	assert_int_equal(topology_read(root_fd, &topology), -ENODATA);
	write_file("0-\n", CPU "/online");
	assert_int_equal(topology_read(root_fd, &topology), -EINVAL);
	write_file("0-2000\n", CPU "/online");
	assert_int_equal(topology_read(root_fd, &topology), -ERANGE);
	assert_null(topology);
}

/* Whatever stands in the small files, it is left out rather than believed. */
static void test_hostile(void **state _unused_)
{
	_cleanup_free_ struct topology *topology = NULL;

	write_file("0-1023\n", CPU "/online");
	write_file("0-1023\n", CPU "/possible");
	write_file("0\n", CPU "/cpu0/cpu_capacity");
	write_file("99999\n", CPU "/cpu1/cpu_capacity");
	write_file("-1\n", CPU "/cpu2/cpu_capacity");
	write_file("-1\n", CPU "/cpu2/topology/physical_package_id");
	write_file("\n", CPU "/cpu3/topology/thread_siblings_list");
	write_file("x", CPU "/cpu4/topology/thread_siblings_list");
	write_file("0 x\n", CPU "/cpufreq/policy0/related_cpus");
	write_file("4 5 4711 1023 \n", CPU "/cpufreq/policy4/related_cpus");
	write_file("99999999999999\n", CPU "/cpufreq/policy4/cpuinfo_max_freq");
	write_file("a governor with a name that is far too long for us\n",
		   CPU "/cpufreq/policy4/scaling_governor");
	write_file("1\n", CPU "/cpufreq/policy1024/related_cpus");
	write_file("1\n", CPU "/cpufreq/policyx/related_cpus");
	write_file("1\n", CPU "/cpufreq/boost");
	write_file("6\n", "proc/sys/kernel/osrelease");
	write_file("2\n", "proc/sys/kernel/sched_energy_aware");
	topology = read_all();
	assert_int_equal(topology->cpu[0].capacity1024, 1);
	assert_int_equal(topology->cpu[1].capacity1024, 1024);
	assert_int_equal(topology->cpu[2].capacity1024, 1024);
	assert_int_equal(topology->cpu[2].package, TOPOLOGY_NONE);
	assert_int_equal(topology->cpu[3].sibling, 3);
	assert_int_equal(topology->cpu[4].sibling, 4);
	assert_int_equal(topology->n_policies, 1);
	expect_cpus(&topology->policy[0].related, "4-5,1023");
	assert_int_equal(topology->policy[0].max_khz, 0);
	assert_string_equal(topology->policy[0].governor, "");
	assert_int_equal(topology->kernel_major, 0);
	assert_int_equal(topology->n_classes, 2);
	assert_false(topology->energy_aware);
}

/* Capacities become classes: less than 5 % above the smallest is the same. */
static void test_classify(void **state _unused_)
{
	static const struct {
		unsigned capacity[10];
		const char *classes[TOPOLOGY_CLASSES_MAX];
	} rows[] = {
		{{1024, 1024}, {"0-1"}},
		{{1024, 300}, {"1", "0"}},
		{{1000, 1024, 1049}, {"0-2"}},
		{{1000, 1024, 1050}, {"0-1", "2"}},
		/* Not a chain: each is compared with the smallest. */
		{{500, 520, 540, 560}, {"0-1", "2-3"}},
		{{446, 1024, 871, 446, 871}, {"0,3", "2,4", "1"}},
		{{1, 1, 1}, {"0-2"}},
		{{100, 200, 300, 400, 500, 600, 700, 800, 900, 1000},
		 {"0", "1", "2", "3", "4", "5", "6", "7-9"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ struct topology *topology = calloc(1, sizeof(*topology));
		unsigned n = 0;

		for (unsigned cpu = 0; cpu < ARRAY_SIZE(rows[i].capacity); cpu++) {
			if (rows[i].capacity[cpu] == 0)
				continue;
			cpumask_set(&topology->online, cpu);
			topology->cpu[cpu].capacity1024 = (uint16_t)rows[i].capacity[cpu];
		}
		for (unsigned twice = 0; twice < 2; twice++)
			topology_classify(topology);
		while (n < TOPOLOGY_CLASSES_MAX && rows[i].classes[n])
			n++;
		EXPECT(topology->n_classes == n, "row %zu: %u classes", i, topology->n_classes);
		for (unsigned k = 0; k < n; k++)
			expect_cpus(&topology->class[k].cpus, rows[i].classes[k]);
	}
}

static void test_parse_classes(void **state _unused_)
{
	static const struct {
		const char *text;
		unsigned n;
		const char *message; /* of an error: how it begins */
	} rows[] = {
		{"0-1 < 2-3", 2, NULL},
		{"0-1<2-3<4", 3, NULL},
		{"  0,2 \t<\t1,3  ", 2, NULL},
		{"7", 1, NULL},
		{"0<1<2<3<4<5<6<7", 8, NULL},
		{"0<1<2<3<4<5<6<7<8", 0, "there can be at most 8 classes"},
		{"", 0, "class 1 is empty"},
		{"  ", 0, "class 1 is empty"},
		{"<", 0, "class 1 is empty"},
		{"0 <", 0, "class 2 is empty"},
		{"0 < < 1", 0, "class 2 is empty"},
		{"0-1 < 1-2", 0, "class 2: CPU 1 is in a smaller class already"},
		{"0-1 < x", 0, "class 2: \"x\" is not a list of CPUs"},
		{"0 1", 0, "class 1: \"0 1\" is not a list of CPUs"},
		{"0-1 > 2", 0, "class 1: \"0-1 > 2\" is not a list of CPUs"},
		{"3-1", 0, "class 1: \"3-1\" is not a list of CPUs"},
		{"0\n", 0, "class 1: \"0\n\" is not a list of CPUs"},
		{"0-1024", 0, "class 1: a CPU of \"0-1024\" is above 1023"},
		{"-1 < 2", 0, "class 1: \"-1\" is not a list of CPUs"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct core_class classes[TOPOLOGY_CLASSES_MAX];
		char message[128] = "";
		unsigned n = 0;
		int r = topology_parse_classes(rows[i].text, classes, &n, message, sizeof(message));

		EXPECT(r == (rows[i].message ? -EINVAL : 0), "row %zu gave %d", i, r);
		EXPECT(n == rows[i].n, "row %zu: %u", i, n);
		if (rows[i].message)
			EXPECT(strncmp(message, rows[i].message, strlen(rows[i].message)) == 0,
			       "row %zu: %s", i, message);
		if (rows[i].text[0])
			EXPECT(!topology_classes_problem(rows[i].text) == (r == 0), "row %zu", i);
	}
	assert_null(topology_classes_problem(""));
}

static void test_long_class(void **state _unused_)
{
	struct core_class classes[TOPOLOGY_CLASSES_MAX];
	_cleanup_free_ char *text = calloc(1, 20000);
	char message[128];
	unsigned n = 0;

	for (unsigned i = 0; i < 9000; i++)
		strcpy(text + 2 * i, "0,");
	assert_int_equal(topology_parse_classes(text, classes, &n, message, sizeof(message)),
			 -EINVAL);
	assert_string_equal(message, "class 1: the list is too long");
	/* The message is cut, not the stack. */
	assert_int_equal(topology_parse_classes("zzzzzzzzzzzzzzzzzzzzzz", classes, &n, message, 8),
			 -EINVAL);
	assert_int_equal(strlen(message), 7);
}

static void test_declare(void **state _unused_)
{
	_cleanup_free_ struct topology *topology = NULL;
	char message[128];

	add_big_little();
	topology = read_all();
	assert_int_equal(topology_declare(topology, "2 < 0,3", message, sizeof(message)), 0);
	assert_int_equal(topology->n_classes, 2);
	expect_cpus(&topology->class[0].cpus, "2");
	assert_int_equal(topology->class[0].capacity1024, 1024);
	expect_cpus(&topology->class[1].cpus, "0,3");
	assert_int_equal(topology->class[1].capacity1024, 1024);
	assert_int_equal(topology->cpu[0].class, 1);
	assert_int_equal(topology->cpu[1].class, TOPOLOGY_NONE);
	assert_int_equal(topology->cpu[2].class, 0);

	/* What can't be, changes nothing. */
	assert_int_equal(topology_declare(topology, "0 < 1-4", message, sizeof(message)), -EINVAL);
	assert_string_equal(message, "class 2: there is no CPU 4 here");
	assert_int_equal(topology_declare(topology, "0 < 0", message, sizeof(message)), -EINVAL);
	assert_int_equal(topology->n_classes, 2);
	expect_cpus(&topology->class[0].cpus, "2");
}

static void test_refresh(void **state _unused_)
{
	_cleanup_free_ struct topology *topology = NULL;

	add_big_little();
	topology = read_all();
	write_file("0-2\n", CPU "/online");
	write_file("performance\n", CPU "/cpufreq/policy2/scaling_governor");
	write_file("0\n", "proc/sys/kernel/sched_energy_aware");
	write_file("enabled\n", "sys/kernel/sched_ext/state");
	assert_int_equal(topology_refresh(root_fd, topology), 0);
	expect_cpus(&topology->online, "0-2");
	assert_false(topology->schedutil);
	assert_true(topology_obeys_clamp(topology, 0));
	assert_false(topology_obeys_clamp(topology, 2));
	assert_false(topology->energy_aware);
	assert_true(topology->sched_ext);
	expect_cpus(&topology->class[1].cpus, "2");
	/* A policy without an online CPU doesn't matter. */
	write_file("0-1\n", CPU "/online");
	assert_int_equal(topology_refresh(root_fd, topology), 0);
	assert_true(topology->schedutil);
	write_file("\n", CPU "/online");
	assert_int_equal(topology_refresh(root_fd, topology), -ENODATA);
	expect_cpus(&topology->online, "0-1");
}

/* CPUs 2 and 3 come online: only now do they tell that they are big. */
static void test_hotplug(void **state _unused_)
{
	for (unsigned declared = 0; declared < 2; declared++) {
		_cleanup_free_ struct topology *topology = NULL;
		char message[64];

		write_file("0-3\n", CPU "/possible");
		write_file("0-1\n", CPU "/online");
		write_file("300\n", CPU "/cpu0/cpu_capacity");
		write_file("300\n", CPU "/cpu1/cpu_capacity");
		topology = read_all();
		assert_int_equal(topology->n_classes, 1);
		assert_int_equal(topology->cpu[2].class, TOPOLOGY_NONE);
		if (declared)
			assert_int_equal(
				topology_declare(topology, "0-2", message, sizeof(message)), 0);
		add_big_little();
		assert_int_equal(topology_refresh(root_fd, topology), 0);
		assert_int_equal(topology->n_policies, 2);
		assert_int_equal(topology->cpu[3].sibling, 2);
		assert_true(topology_obeys_clamp(topology, 3));
		assert_int_equal(topology->n_classes, declared ? 1 : 2);
		expect_cpus(&topology->class[declared ? 0 : 1].cpus, declared ? "0-2" : "2-3");
		write_file("0,2-3\n", CPU "/online");
		assert_int_equal(topology_refresh(root_fd, topology), 0);
		expect_cpus(&topology->class[0].cpus, declared ? "0-2" : "0");
		root_teardown(NULL);
		root_setup(NULL);
	}
}

/* What /proc/cpuinfo says of each host, with cpufreq and without. */
static void test_invariant(void **state _unused_)
{
	static const struct {
		const char *cpuinfo;
		bool with_cpufreq, without;
	} rows[] = {
		{"processor\t: 0\nflags\t\t: fpu aperfmperf rep_good\n\n", true, true},
		{"processor\t: 0\nflags\t\t: fpu aperfmperf\n", true, true},
		{"flags\t\t: aperfmperf fpu", true, true},
		{"processor\t: 0\nflags\t\t: fpu rep_good\n", false, false},
		{"processor\t: 0\nflags\t\t: fpu noaperfmperf aperfmperfx\n", false, false},
		{"processor\t: 0\nflags\t\t: fpu\nbugs\t\t: aperfmperf\n", false, false},
		{"processor\t: 0\nvmx flags\t: aperfmperf\nflags\t\t: fpu\n", false, false},
		{"processor\t: 0\nFeatures\t: fp asimd\n", true, false},
		{"", true, false},
	};

	test_write(dir, "sys/devices/system/cpu/online", "0\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
		_cleanup_free_ struct topology *topology = NULL;
		bool has_cpufreq = i >= ARRAY_SIZE(rows);
		size_t row = i % ARRAY_SIZE(rows);

		if (has_cpufreq)
			add_policy(0, "0", "schedutil");
		test_write(dir, "proc/cpuinfo", rows[row].cpuinfo);
		assert_int_equal(topology_read(root_fd, &topology), 0);
		EXPECT(topology->invariant ==
			       (has_cpufreq ? rows[row].with_cpufreq : rows[row].without),
		       "row %zu %s cpufreq", row, has_cpufreq ? "with" : "without");
	}
}

static void test_top_khz(void **state _unused_)
{
	static const struct {
		uint16_t capacity[3], policy[3];
		uint32_t khz;
	} rows[] = {
		{{512, 1024, 512}, {0, 1, 0}, 3000},   {{1024, 512, 512}, {0, 1, 0}, 2000},
		{{1024, 1024, 1024}, {0, 1, 0}, 3000}, {{1024, 1024, 1024}, {1, 0, 0}, 3000},
		{{512, 1024, 300}, {0, 9, 1}, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ struct topology *topology = calloc(1, sizeof(*topology));

		assert_non_null(topology);
		topology->n_policies = 2;
		topology->policy[0].max_khz = 2000;
		topology->policy[1].max_khz = 3000;
		for (unsigned cpu = 0; cpu < 3; cpu++) {
			cpumask_set(&topology->online, cpu);
			topology->cpu[cpu].capacity1024 = rows[i].capacity[cpu];
			topology->cpu[cpu].policy = rows[i].policy[cpu];
		}
		EXPECT(topology_top_khz(topology) == rows[i].khz, "row %zu: %u", i,
		       topology_top_khz(topology));
	}
}

static void test_boot_id(void **state _unused_)
{
	char id[BOOT_ID_MAX] = "";

	assert_int_equal(topology_boot_id(root_fd, id), -ENOENT);
	write_file("\n", "proc/sys/kernel/random/boot_id");
	assert_int_equal(topology_boot_id(root_fd, id), -ENODATA);
	write_file("9ecc640e-0e53-4709-be79-f2bff3c3b6e6\n", "proc/sys/kernel/random/boot_id");
	assert_int_equal(topology_boot_id(root_fd, id), 0);
	assert_string_equal(id, "9ecc640e-0e53-4709-be79-f2bff3c3b6e6");
}

static void test_frequency(void **state _unused_)
{
	_cleanup_free_ struct topology *topology = NULL;
	struct freq_reader *reader = NULL;
	_cleanup_free_ char *file = NULL;
	uint32_t khz = 0;

	add_big_little();
	topology = read_all();
	assert_true(asprintf(&file, "%s/" CPU "/cpufreq/policy2/scaling_cur_freq", dir) > 0);
	assert_int_equal(freq_reader_new(root_fd, &reader), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(freq_reader_khz(reader, topology, 3, &khz), 0);
		assert_int_equal(khz, 1800000);
	}
	write_file("3000000\n", CPU "/cpufreq/policy2/scaling_cur_freq");
	assert_int_equal(freq_reader_khz(reader, topology, 2, &khz), 0);
	assert_int_equal(khz, 3000000);
	assert_int_equal(freq_reader_khz(reader, topology, 1, &khz), 0);
	assert_int_equal(khz, 1800000);
	write_file("<unknown>\n", CPU "/cpufreq/policy2/scaling_cur_freq");
	assert_int_equal(freq_reader_khz(reader, topology, 2, &khz), -ENODATA);
	/* More than fits is an error, and the file is opened anew after it. */
	write_file("9999999999999999999999999999999999999\n",
		   CPU "/cpufreq/policy2/scaling_cur_freq");
	assert_int_equal(freq_reader_khz(reader, topology, 2, &khz), -EFBIG);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(freq_reader_khz(reader, topology, 2, &khz), -ENODEV);
	write_file("600000\n", CPU "/cpufreq/policy2/scaling_cur_freq");
	assert_int_equal(freq_reader_khz(reader, topology, 2, &khz), 0);
	assert_int_equal(khz, 600000);
	assert_int_equal(freq_reader_khz(reader, topology, 7, &khz), -ENODATA);
	assert_int_equal(freq_reader_khz(reader, topology, 4711, &khz), -ENODATA);
	assert_null(freq_reader_free(reader));
	assert_null(freq_reader_free(NULL));
}

/* The machine that runs the tests has CPUs. */
static void test_this_machine(void **state _unused_)
{
	_cleanup_free_ struct topology *topology = NULL;
	_cleanup_close_ int root = rootfs_open("/");
	char id[BOOT_ID_MAX];

	assert_int_equal(topology_read(root, &topology), 0);
	assert_true(cpumask_count(&topology->online) >= 1);
	assert_true(topology->n_classes >= 1);
	assert_true(topology->kernel_major >= 4);
	assert_int_equal(topology_boot_id(root, id), 0);
	assert_int_equal(topology_refresh(root, topology), 0);
}

#define TOPOLOGY_TEST(test) cmocka_unit_test_setup_teardown(test, root_setup, root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TOPOLOGY_TEST(test_read),
		TOPOLOGY_TEST(test_bare),
		TOPOLOGY_TEST(test_errors),
		TOPOLOGY_TEST(test_hostile),
		cmocka_unit_test(test_classify),
		cmocka_unit_test(test_parse_classes),
		cmocka_unit_test(test_long_class),
		TOPOLOGY_TEST(test_declare),
		TOPOLOGY_TEST(test_refresh),
		TOPOLOGY_TEST(test_hotplug),
		TOPOLOGY_TEST(test_boot_id),
		TOPOLOGY_TEST(test_invariant),
		cmocka_unit_test(test_top_khz),
		TOPOLOGY_TEST(test_frequency),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
