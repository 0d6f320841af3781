/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/identity.c and madt.c: by what the machine knows each CPU. */
#include "tests/unit/test_root.h"

#include "guestd/identity.h"
#include "guestd/madt.h"

static struct message_hello hello;

static void read_cpus(const char *list)
{
	struct cpumask cpus;

	assert_int_equal(cpumask_parse(list, &cpus), 0);
	identity_read_cpus(root_fd, &cpus, &hello);
}

static void test_apic_ids(_unused_ void **state)
{
	read_cpus("0,2,9"); /* no cpuinfo */
	assert_int_equal(hello.n_cpus, 3);
	assert_int_equal(hello.cpu[1].cpu, 2);
	assert_true(hello.cpu[1].id == UINT64_MAX);
	test_write(dir, "proc/cpuinfo",
		   "processor\t: 0\nmodel name\t: apicid : 7\ncore id\t\t: 0\napicid\t\t: 4\n"
		   "initial apicid\t: 5\n\nprocessor\t: 1\napicid\t\t: 6\n\nprocessor\t: 2\n"
		   "apicid\t\t: 8\n\nprocessor\t: 9\napicid : x\n");
	read_cpus("0,2,9");
	assert_int_equal(hello.cpu[0].id, 4);
	assert_int_equal(hello.cpu[1].id, 8);
	assert_true(hello.cpu[2].id == UINT64_MAX);
}

/* -- arm64 with a device tree
 * ---------------------------------------------------------------------*/

#define CPU "sys/devices/system/cpu/cpu"

static void write_reg(unsigned cpu, const void *reg, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), CPU "%u/of_node/reg", cpu);
	test_write_bytes(dir, path, reg, size);
}

static void test_device_tree(_unused_ void **state)
{
	test_write(dir, "proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 125.00\nCPU part\t: 0xd08\n");
	write_reg(0, "\0\0\0\0", 4);
	write_reg(1, "\0\0\1\3", 4);
	write_reg(2, "\0\0\0\x12\xc1\x34\x56\x78", 8); /* U and MT aren't part of it */
	write_reg(3, "\0\0\1", 3);
	write_reg(4, "\0\0\0\0\0\0\0\0\0\0\0\4", 12);
	write_reg(5, "", 0);
	read_cpus("0-6");
	assert_int_equal(hello.n_cpus, 7);
	assert_true(hello.cpu[0].id == 0);
	assert_true(hello.cpu[1].id == 0x103);
	assert_true(hello.cpu[2].id == UINT64_C(0x1200345678));
	for (unsigned i = 3; i < 7; i++)
		EXPECT(hello.cpu[i].id == UINT64_MAX, "CPU %u has id %llx", i,
		       (unsigned long long)hello.cpu[i].id);
}

/* -- arm64 with ACPI
 * ------------------------------------------------------------------------------*/

struct table {
	size_t size;
	uint8_t bytes[1024];
};

static uint8_t *add(struct table *table, uint8_t type, uint8_t length)
{
	uint8_t *entry = table->bytes + table->size;

	entry[0] = type;
	entry[1] = length;
	table->size += length;
	return entry;
}

static void add_gicc(struct table *table, uint8_t length, uint8_t uid, uint64_t mpidr)
{
	uint8_t *entry = add(table, 11, length);

	entry[4] = 0xee; /* the CPU interface number is something else */
	entry[8] = uid;
	for (unsigned i = 0; i < 8 && 68 + i < length; i++)
		entry[68 + i] = (uint8_t)(mpidr >> 8 * i);
}

static void test_acpi(_unused_ void **state)
{
	struct table table = {.size = 44};

	add(&table, 12, 24); /* the distributor */
	add_gicc(&table, 80, 7, 0x80000000);
	add_gicc(&table, 82, 8, UINT64_C(0x0500000103));
	add_gicc(&table, 40, 9, 0); /* of ACPI 5.0, which has no MPIDR */
	add(&table, 13, 24);
	test_write_bytes(dir, "sys/firmware/acpi/tables/APIC", table.bytes, table.size);
	test_write(dir, CPU "0/firmware_node/uid", "7\n");
	test_write(dir, CPU "1/firmware_node/uid", "8\n");
	test_write(dir, CPU "2/firmware_node/uid", "9\n");
	test_write(dir, CPU "3/firmware_node/uid", "10\n");
	test_write(dir, CPU "4/firmware_node/uid", "4294967303\n"); /* 7, were it cut to 32 bits */
	test_write(dir, CPU "5/firmware_node/uid", "C005\n");
	read_cpus("0-6");
	assert_true(hello.cpu[0].id == 0);
	assert_true(hello.cpu[1].id == UINT64_C(0x0500000103));
	for (unsigned i = 2; i < 7; i++)
		EXPECT(hello.cpu[i].id == UINT64_MAX, "CPU %u has id %llx", i,
		       (unsigned long long)hello.cpu[i].id);
}

/* A table that is cut anywhere, or whose lengths lead nowhere. */
static void test_broken_madt(_unused_ void **state)
{
	struct table table = {.size = 44};
	uint64_t id = 99;

	add_gicc(&table, 80, 1, 1);
	add_gicc(&table, 80, 2, 2);
	for (size_t size = 0; size < table.size; size++) {
		uint8_t *exact = malloc(MAX(size, 1)); /* so that a sanitizer sees a byte too many */

		assert_non_null(exact);
		memcpy(exact, table.bytes, size);
		EXPECT(madt_mpidr(exact, size, 2, &id) < 0 && id == 99, "size %zu", size);
		free(exact);
	}
	assert_int_equal(madt_mpidr(table.bytes, table.size, 2, &id), 0);
	assert_true(id == 2);
	assert_int_equal(madt_mpidr(table.bytes, table.size, 3, &id), -ENOENT);
	table.bytes[45] = 0;
	assert_int_equal(madt_mpidr(table.bytes, table.size, 2, &id), -EBADMSG);
	table.bytes[45] = 1;
	assert_int_equal(madt_mpidr(table.bytes, table.size, 2, &id), -EBADMSG);
}

static void test_boot_id(_unused_ void **state)
{
	uint8_t id[16] = {};

	assert_int_equal(identity_read_boot_id(root_fd, id), -ENOENT);
	test_write(dir, "proc/sys/kernel/random/boot_id", "0123456789abcdef\n");
	assert_int_equal(identity_read_boot_id(root_fd, id), -EBADMSG);
	test_write(dir, "proc/sys/kernel/random/boot_id", "00112233-4455-6677-8899-aabbccddeefg\n");
	assert_int_equal(identity_read_boot_id(root_fd, id), -EBADMSG);
	test_write(dir, "proc/sys/kernel/random/boot_id", "00112233+4455-6677-8899-aabbccddeeff\n");
	assert_int_equal(identity_read_boot_id(root_fd, id), -EBADMSG);
	assert_int_equal(id[15], 0);
	test_write(dir, "proc/sys/kernel/random/boot_id", "00112233-4455-6677-8899-aabbccddeeff\n");
	assert_int_equal(identity_read_boot_id(root_fd, id), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(id[i], i * 0x11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_apic_ids, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_device_tree, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_acpi, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_broken_madt, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_boot_id, root_setup, root_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
