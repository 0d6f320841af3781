/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ctl/dtb.c: what is added to a device tree such as QEMU's for arm64, and trees that are refused.
 */
#include "tests/unit/test.h"

#include "config.h"
#include "ctl/dtb.h"

static const struct frequencies list = {3, {3000000, 1800000, 600000}};
static struct clusters clusters;
static char why[200];
static void *result;
static size_t result_size;
static unsigned n_cpus;

static int add(const void *dtb, size_t size, const struct frequencies *frequencies)
{
	return dtb_add_frequencies(dtb, size, frequencies, &clusters, &result, &result_size,
				   &n_cpus, why, sizeof(why));
}

#ifdef HAVE_LIBFDT
#include <libfdt.h>

#define TREE_SIZE 8192
#define CPUS	  4U

static uint8_t tree[TREE_SIZE] __attribute__((aligned(8)));

static void add_cpu(unsigned cpu)
{
	char name[16];

	snprintf(name, sizeof(name), "cpu@%u", cpu);
	fdt_begin_node(tree, name);
	fdt_property_string(tree, "device_type", "cpu");
	fdt_property_string(tree, "compatible", "arm,cortex-a72");
	fdt_property_u32(tree, "reg", cpu);
	fdt_property_u32(tree, "phandle", 0x8000 + cpu);
	fdt_end_node(tree);
}

/* Such as QEMU's virt machine dumps, as far as it matters: cpu-map stands among the CPUs. */
static int setup(_unused_ void **state)
{
	fdt_create(tree, TREE_SIZE);
	fdt_finish_reservemap(tree);
	fdt_begin_node(tree, "");
	fdt_property_string(tree, "compatible", "linux,dummy-virt");
	fdt_begin_node(tree, "cpus");
	fdt_property_u32(tree, "#address-cells", 1);
	fdt_property_u32(tree, "#size-cells", 0);
	fdt_begin_node(tree, "cpu-map");
	fdt_end_node(tree);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		add_cpu(cpu);
	fdt_end_node(tree);
	fdt_begin_node(tree, "apb-pclk");
	fdt_property_string(tree, "compatible", "fixed-clock");
	fdt_property_u32(tree, "phandle", 0x9000);
	fdt_end_node(tree);
	fdt_end_node(tree);
	memset(&clusters, 0, sizeof(clusters));
	result = NULL;
	why[0] = '\0';
	return fdt_finish(tree) < 0;
}

static int teardown(_unused_ void **state)
{
	free(result);
	return 0;
}

static uint32_t get_u32(int node, const char *name)
{
	int length;
	const fdt32_t *value = fdt_getprop(result, node, name, &length);

	EXPECT(value && length == 4, "no number %s", name);
	return fdt32_ld(value);
}

/* The node that a CPU's property refers to. */
static int target_of(unsigned cpu, const char *name)
{
	char path[32];
	int node, target;

	snprintf(path, sizeof(path), "/cpus/cpu@%u", cpu);
	node = fdt_path_offset(result, path);
	assert_true(node >= 0);
	target = fdt_node_offset_by_phandle(result, get_u32(node, name));
	EXPECT(target >= 0, "CPU %u: %s refers to nothing", cpu, name);
	return target;
}

/* The frequencies of list, the lowest first. */
static void check_states(int table)
{
	int node;
	unsigned i = list.n;
	uint32_t last_uv = 0;

	fdt_for_each_subnode(node, result, table)
	{
		const fdt64_t *hz = fdt_getprop(result, node, "opp-hz", NULL);

		assert_true(i-- > 0);
		assert_non_null(hz);
		assert_int_equal(fdt64_ld(hz), list.khz[i] * 1000);
		assert_true(get_u32(node, "opp-microvolt") > last_uv);
		last_uv = get_u32(node, "opp-microvolt");
		assert_true(get_u32(node, "clock-latency-ns") > 0);
	}
	assert_int_equal(i, 0);
}

static void check_domain(unsigned cpu, bool shared)
{
	int table = target_of(cpu, "operating-points-v2"), clock = target_of(cpu, "clocks");

	assert_int_equal(fdt_node_check_compatible(result, table, "operating-points-v2"), 0);
	assert_true(!fdt_getprop(result, table, "opp-shared", NULL) == !shared);
	check_states(table);
	assert_int_equal(fdt_node_check_compatible(result, clock, "fixed-clock"), 0);
	assert_int_equal(get_u32(clock, "#clock-cells"), 0);
	assert_int_equal(get_u32(clock, "clock-frequency"), 3000000000);
}

static void test_each_its_own(_unused_ void **state)
{
	assert_int_equal(add(tree, fdt_totalsize(tree), &list), 0);
	assert_int_equal(n_cpus, CPUS);
	assert_int_equal(fdt_check_full(result, result_size), 0);
	assert_int_equal(result_size, fdt_totalsize(result));
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		check_domain(cpu, false);
		for (unsigned other = 0; other < cpu; other++) {
			assert_int_not_equal(target_of(cpu, "clocks"), target_of(other, "clocks"));
			assert_int_not_equal(target_of(cpu, "operating-points-v2"),
					     target_of(other, "operating-points-v2"));
		}
	}
}

/* All that was there is there still. */
static void test_keeps(_unused_ void **state)
{
	assert_int_equal(add(tree, fdt_totalsize(tree), &list), 0);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		int node = fdt_node_offset_by_phandle(result, 0x8000 + cpu);

		assert_true(node >= 0);
		assert_int_equal(get_u32(node, "reg"), cpu);
	}
	assert_true(fdt_path_offset(result, "/cpus/cpu-map") >= 0);
	assert_int_equal(fdt_node_offset_by_phandle(result, 0x9000),
			 fdt_path_offset(result, "/apb-pclk"));
}

static void test_clusters(_unused_ void **state)
{
	assert_int_equal(clusters_parse("0,2", &clusters, why, sizeof(why)), 0);
	assert_int_equal(add(tree, fdt_totalsize(tree), &list), 0);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		check_domain(cpu, cpu == 0 || cpu == 2);
	assert_int_equal(target_of(0, "clocks"), target_of(2, "clocks"));
	assert_int_equal(target_of(0, "operating-points-v2"), target_of(2, "operating-points-v2"));
	assert_int_not_equal(target_of(0, "clocks"), target_of(1, "clocks"));
	assert_int_not_equal(target_of(1, "clocks"), target_of(3, "clocks"));
}

/* QEMU dumps a buffer of 1 MiB, of which most is empty: what is written is as small as it can be.
 */
static void test_roomy(_unused_ void **state)
{
	_cleanup_free_ void *roomy = malloc(1 << 20);
	size_t size;

	assert_int_equal(add(tree, fdt_totalsize(tree), &list), 0);
	size = result_size;
	free(result);
	assert_int_equal(fdt_open_into(tree, roomy, 1 << 20), 0);
	assert_int_equal(add(roomy, 1 << 20, &list), 0);
	assert_int_equal(result_size, size);
}

static void expect_refused(const void *dtb, size_t size, int error, const char *text)
{
	int r = add(dtb, size, &list);

	EXPECT(r == error, "%d instead of %d: %s", r, error, why);
	EXPECT(strstr(why, text), "doesn't say '%s': %s", text, why);
	assert_null(result);
}

static void test_truncated(_unused_ void **state)
{
	size_t whole = fdt_totalsize(tree);

	for (size_t size = 0; size < whole; size++) {
		/* so that what is behind it belongs to nobody */
		_cleanup_free_ void *part = malloc(size + 1);

		memcpy(part, tree, size);
		expect_refused(part, size, -EBADMSG, "dumpdtb=FILE");
	}
	expect_refused("#!/bin/sh\nthis is something else altogether", 43, -EBADMSG,
		       "no device tree");
}

static void test_no_cpus(_unused_ void **state)
{
	assert_int_equal(fdt_nop_node(tree, fdt_path_offset(tree, "/cpus")), 0);
	expect_refused(tree, fdt_totalsize(tree), -ENODEV, "has no CPUs");
	fdt_create_empty_tree(tree, TREE_SIZE);
	expect_refused(tree, fdt_totalsize(tree), -ENODEV, "has no CPUs");
}

static void test_has_some(_unused_ void **state)
{
	static const char *const taken[] = {"operating-points-v2", "operating-points", "clocks"};

	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		setup(NULL);
		fdt_open_into(tree, tree, TREE_SIZE);
		fdt_setprop_u32(tree, fdt_path_offset(tree, "/cpus/cpu@2"), taken[i], 1);
		expect_refused(tree, fdt_totalsize(tree), -EEXIST, taken[i]);
		assert_non_null(strstr(why, "CPU 2 already"));
	}
}

/* Its own output is no input. */
static void test_twice(_unused_ void **state)
{
	_cleanup_free_ void *once = NULL;
	size_t size;

	assert_int_equal(add(tree, fdt_totalsize(tree), &list), 0);
	once = result;
	size = result_size;
	result = NULL;
	expect_refused(once, size, -EEXIST, "CPU 0 already has operating-points-v2");
}

/* A node of that name, and no number left for a reference. */
static void test_no_room(_unused_ void **state)
{
	fdt_open_into(tree, tree, TREE_SIZE);
	fdt_add_subnode(tree, 0, "clock-cpu3");
	expect_refused(tree, fdt_totalsize(tree), -EBADMSG, "FDT_ERR_EXISTS");

	setup(NULL);
	fdt_open_into(tree, tree, TREE_SIZE);
	fdt_setprop_u32(tree, fdt_path_offset(tree, "/cpus/cpu@2"), "phandle", 0xfffffff8);
	expect_refused(tree, fdt_totalsize(tree), -EBADMSG, "FDT_ERR_NOPHANDLES");
}

static void test_options(_unused_ void **state)
{
	const struct frequencies high = {2, {DTB_MAX_KHZ + 1, 1000}};

	assert_int_equal(add(tree, fdt_totalsize(tree), &high), -ERANGE);
	assert_int_equal(clusters_parse("0-4", &clusters, why, sizeof(why)), 0);
	expect_refused(tree, fdt_totalsize(tree), -ENODEV, "4 CPUs, and --clusters names CPU 4");
}

/* Damaged anywhere: it is refused, or still a device tree. */
static void test_damaged(_unused_ void **state)
{
	uint64_t seed = 1;

	for (unsigned i = 0; i < 4000; i++) {
		size_t size;

		setup(NULL);
		size = fdt_totalsize(tree);
		for (unsigned n = 1 + test_random(&seed) % 4; n > 0; n--)
			tree[test_random(&seed) % size] = (uint8_t)test_random(&seed);
		if (add(tree, size, &list) < 0)
			EXPECT(*why != '\0', "refused without a reason");
		else
			EXPECT(fdt_check_full(result, result_size) == 0, "row %u", i);
		free(result);
	}
	result = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keeps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clusters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_roomy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_cpus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_has_some, setup, teardown),
		cmocka_unit_test_setup_teardown(test_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_without(_unused_ void **state)
{
	assert_int_equal(add("", 0, &list), -ENOTSUP);
	assert_non_null(strstr(why, "libfdt-dev"));
	TEST_SKIP("vmfreq is built without libfdt (Debian's package libfdt-dev)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_without)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
