/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/vcpu_identity.c: the ids that QEMU gives, and which vCPU a guest's CPU is by them. */
#include "tests/unit/test.h"

#include "hostd/vcpu_identity.h"

#define NONE   VCPU_IDENTITY_NONE
#define NO_ID  UINT64_MAX
#define X86(sockets_, dies_, cores_, threads_)                                                     \
	{                                                                                          \
		.kind = MACHINE_X86, .sockets = sockets_, .dies = dies_, .clusters = 1,            \
		.cores = cores_, .threads = threads_                                               \
	}

static struct message_hello hello;
static struct vcpu_identity identity;

/* Read from QEMU 10.0.2 (q35, -smp with these levels): query-cpus-fast, and each CPU's apic-id. */
static void test_x86_ids(_unused_ void **state)
{
	static const struct {
		struct inventory_machine machine;
		unsigned n;
		uint64_t id[24];
	} rows[] = {
		{X86(1, 1, 3, 2), 6, {0, 1, 2, 3, 4, 5}},
		{X86(2, 1, 6, 1), 12, {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13}},
		{X86(2, 1, 3, 2), 12, {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13}},
		{X86(1, 2, 3, 2), 12, {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13}},
		{X86(2, 3, 2, 2), 24, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
				       16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}},
		{X86(2, 1, 1, 3), 6, {0, 1, 2, 4, 5, 6}},
		{X86(4, 1, 1, 1), 4, {0, 1, 2, 3}},
		{{.kind = MACHINE_X86}, 4, {0, 1, 2, 3}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned vcpu = 0; vcpu < rows[i].n; vcpu++) {
			uint64_t id = 99;

			EXPECT(vcpu_identity_id(&rows[i].machine, rows[i].n, vcpu, &id) &&
				       id == rows[i].id[vcpu],
			       "row %zu, vCPU %u: %llu", i, vcpu, (unsigned long long)id);
		}
}

/* More than 255 take an x2APIC. */
static void test_x2apic(_unused_ void **state)
{
	const struct inventory_machine machine = X86(3, 1, 170, 2);
	uint64_t id;

	assert_true(vcpu_identity_id(&machine, 1020, 339, &id));
	assert_int_equal(id, 169 * 2 + 1);
	assert_true(vcpu_identity_id(&machine, 1020, 340, &id));
	assert_int_equal(id, 512);
	assert_true(vcpu_identity_id(&machine, 1020, 1019, &id));
	assert_int_equal(id, 2 * 512 + 169 * 2 + 1);
}

static void test_arm_ids(_unused_ void **state)
{
	const struct inventory_machine v3 = {.kind = MACHINE_ARM_VIRT},
				       v2 = {.kind = MACHINE_ARM_VIRT, .gic2 = true};
	uint64_t id;

	assert_true(vcpu_identity_id(&v3, 40, 0, &id) && id == 0);
	assert_true(vcpu_identity_id(&v3, 40, 15, &id) && id == 0xf);
	assert_true(vcpu_identity_id(&v3, 40, 16, &id) && id == 0x100);
	assert_true(vcpu_identity_id(&v3, 40, 39, &id) && id == 0x207);
	assert_true(vcpu_identity_id(&v2, 9, 7, &id) && id == 7);
	assert_true(vcpu_identity_id(&v2, 9, 8, &id) && id == 0x100);
}

static void test_unknown_rules(_unused_ void **state)
{
	const struct inventory_machine unknown = {}, small = X86(1, 1, 2, 2),
				       wide = X86(65535, 65535, 65535, 65535);
	struct inventory_machine clusters = X86(1, 1, 2, 2);
	uint64_t id = 99;

	clusters.clusters = 2;
	assert_false(vcpu_identity_id(&unknown, 4, 0, &id));
	assert_false(vcpu_identity_id(&small, 5, 0, &id)); /* it has no room for the fifth */
	assert_false(vcpu_identity_id(&clusters, 4, 0, &id));
	clusters.clusters = 0;
	assert_false(vcpu_identity_id(&clusters, 4, 0, &id));
	assert_true(vcpu_identity_id(&wide, 1024, 1023, &id)); /* and no level overflows */
	assert_int_equal(id, 1023);
}

/* -- which CPU is which
 * ----------------------------------------------------------------------------*/

struct cpu {
	uint32_t cpu;
	uint64_t id;
};

struct row {
	const char *what;
	struct inventory_machine machine;
	unsigned n_vcpus, n_cpus;
	struct cpu cpus[8];
	enum vcpu_identity_basis basis;
	uint16_t vcpu[8]; /* of CPU 0, 1, … */
};

static void take_hello(const struct cpu *cpus, unsigned n)
{
	hello.n_cpus = (uint16_t)n;
	for (unsigned i = 0; i < n; i++)
		hello.cpu[i] = (struct hello_cpu){.cpu = cpus[i].cpu, .id = cpus[i].id};
}

/* No two CPUs are one vCPU, none is one that isn't there, and both ways say the same. */
static void assert_sound(unsigned n_vcpus, const char *what)
{
	unsigned joined = 0, back = 0;

	for (unsigned i = 0; i < PROTO_CPUS_MAX; i++) {
		uint16_t vcpu = identity.vcpu_of_cpu[i], cpu = identity.cpu_of_vcpu[i];

		joined += vcpu != NONE;
		back += cpu != NONE;
		EXPECT(vcpu == NONE || (vcpu < n_vcpus && identity.cpu_of_vcpu[vcpu] == i),
		       "%s: CPU %u is vCPU %u", what, i, vcpu);
		EXPECT(cpu == NONE || (cpu < PROTO_CPUS_MAX && identity.vcpu_of_cpu[cpu] == i),
		       "%s: vCPU %u is CPU %u", what, i, cpu);
	}
	EXPECT(joined == back, "%s", what);
}

static void assert_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct row *row = &rows[i];

		memset(&identity, 0xa5, sizeof(identity));
		take_hello(row->cpus, row->n_cpus);
		vcpu_identity_map(&identity, &row->machine, row->n_vcpus, &hello);
		EXPECT(identity.basis == row->basis, "%s: %s", row->what,
		       vcpu_identity_text(identity.basis));
		for (unsigned cpu = 0; cpu < ARRAY_SIZE(row->vcpu); cpu++)
			EXPECT(identity.vcpu_of_cpu[cpu] == row->vcpu[cpu], "%s: CPU %u is %u",
			       row->what, cpu, identity.vcpu_of_cpu[cpu]);
		assert_sound(row->n_vcpus, row->what);
	}
}

static void test_by_id(_unused_ void **state)
{
	static const struct row rows[] = {
		{"as numbered", X86(2, 1, 1, 3), 6, 6,
		 {{0, 0}, {1, 1}, {2, 2}, {3, 4}, {4, 5}, {5, 6}},
		 IDENTITY_BY_ID, {0, 1, 2, 3, 4, 5, NONE, NONE}},
		{"vCPU 0, 2 and 5 were there at boot", X86(1, 1, 3, 2), 6, 3,
		 {{0, 0}, {1, 2}, {2, 5}},
		 IDENTITY_BY_ID, {0, 2, 5, NONE, NONE, NONE, NONE, NONE}},
		{"4 was plugged in, then 3, then 1", X86(1, 1, 3, 2), 6, 6,
		 {{0, 0}, {1, 2}, {2, 5}, {3, 4}, {4, 3}, {5, 1}},
		 IDENTITY_BY_ID, {0, 2, 5, 4, 3, 1, NONE, NONE}},
		{"CPU 1 is offline in the guest", X86(2, 1, 1, 3), 6, 5,
		 {{0, 0}, {2, 2}, {3, 4}, {4, 5}, {5, 6}},
		 IDENTITY_BY_ID, {0, NONE, 2, 3, 4, 5, NONE, NONE}},
		{"siblings are numbered last", X86(1, 1, 3, 2), 6, 6,
		 {{0, 0}, {1, 2}, {2, 4}, {3, 1}, {4, 3}, {5, 5}},
		 IDENTITY_BY_ID, {0, 2, 4, 1, 3, 5, NONE, NONE}},
		{"a number above the domain's", X86(1, 1, 3, 2), 6, 2, {{0, 0}, {7, 3}},
		 IDENTITY_BY_ID, {0, NONE, NONE, NONE, NONE, NONE, NONE, 3}},
		{"arm64 that booted from another", {.kind = MACHINE_ARM_VIRT}, 18, 3,
		 {{0, 0x101}, {1, 0}, {2, 0xf}},
		 IDENTITY_BY_ID, {17, 0, 15, NONE, NONE, NONE, NONE, NONE}},
		{"one that went before it was read", X86(1, 1, 3, 2), 6, 3,
		 {{0, 0}, {1, 2}, {3, NO_ID}},
		 IDENTITY_SOME_WITHOUT_ID, {0, 2, NONE, 3, NONE, NONE, NONE, NONE}},
		{"the first one has none", X86(1, 1, 3, 2), 6, 2, {{0, NO_ID}, {1, 2}},
		 IDENTITY_SOME_WITHOUT_ID, {0, 2, NONE, NONE, NONE, NONE, NONE, NONE}},
		{"and whose number is somebody else", X86(1, 1, 3, 2), 6, 4,
		 {{0, 0}, {1, 2}, {2, NO_ID}, {6, NO_ID}},
		 IDENTITY_SOME_WITHOUT_ID, {0, 2, NONE, NONE, NONE, NONE, NONE, NONE}},
	};

	assert_rows(rows, ARRAY_SIZE(rows));
}

/* Where ids don't help or can't be right, number is index: for all, or two could be one. */
static void test_by_number(_unused_ void **state)
{
	static const struct row rows[] = {
		{"no ids", X86(1, 1, 2, 1), 2, 2, {{0, NO_ID}, {1, NO_ID}},
		 IDENTITY_NO_IDS, {0, 1, NONE, NONE, NONE, NONE, NONE, NONE}},
		{"no ids, and no CPU 0", X86(1, 1, 4, 1), 4, 2, {{1, NO_ID}, {9, NO_ID}},
		 IDENTITY_NO_IDS, {0, 1, 2, 3, NONE, NONE, NONE, NONE}},
		{"an unknown machine", {}, 3, 3, {{0, 2}, {1, 1}, {2, 0}},
		 IDENTITY_MACHINE_UNKNOWN, {0, 1, 2, NONE, NONE, NONE, NONE, NONE}},
		{"an id in a hole", X86(2, 1, 1, 3), 6, 3, {{0, 4}, {1, 3}, {2, 0}},
		 IDENTITY_FOREIGN_ID, {0, 1, 2, 3, 4, 5, NONE, NONE}},
		{"an id behind the last", X86(1, 1, 2, 2), 3, 2, {{0, 2}, {1, 3}},
		 IDENTITY_FOREIGN_ID, {0, 1, 2, NONE, NONE, NONE, NONE, NONE}},
		{"ids that would wrap", X86(1, 1, 2, 1), 2, 2,
		 {{0, 1}, {1, UINT64_C(1) << 32}},
		 IDENTITY_FOREIGN_ID, {0, 1, NONE, NONE, NONE, NONE, NONE, NONE}},
		{"one id twice", X86(1, 1, 3, 1), 3, 3, {{0, 2}, {1, 1}, {2, 2}},
		 IDENTITY_DOUBLED_ID, {0, 1, 2, NONE, NONE, NONE, NONE, NONE}},
		{"one id for all", X86(1, 1, 3, 1), 3, 4, {{0, 1}, {1, 1}, {2, 1}, {3, 1}},
		 IDENTITY_DOUBLED_ID, {0, 1, 2, NONE, NONE, NONE, NONE, NONE}},
		{"more CPUs than vCPUs", X86(1, 1, 2, 1), 2, 3, {{0, 1}, {1, 0}, {2, 2}},
		 IDENTITY_FOREIGN_ID, {0, 1, NONE, NONE, NONE, NONE, NONE, NONE}},
	};

	assert_rows(rows, ARRAY_SIZE(rows));
}

/* Whatever a guest says. */
static void test_hostile(_unused_ void **state)
{
	static const struct inventory_machine machines[] = {
		X86(2, 1, 3, 2), X86(3, 2, 1, 3), {.kind = MACHINE_ARM_VIRT}, {}};
	uint64_t seed = 5;
	unsigned seen[IDENTITY_DOUBLED_ID + 1] = {};

	for (unsigned round = 0; round < 20000; round++) {
		unsigned n_vcpus = 1 + test_random(&seed) % 12, cpu = 0;
		unsigned spread = 1 + test_random(&seed) % 40;

		hello.n_cpus = 0;
		for (unsigned i = 0; i < 1 + test_random(&seed) % 8; i++) {
			uint64_t id = test_random(&seed) % (spread + 1);

			hello.cpu[hello.n_cpus++] =
				(struct hello_cpu){.cpu = cpu, .id = id == spread ? NO_ID : id};
			cpu += 1 + test_random(&seed) % 5;
		}
		memset(&identity, 0xa5, sizeof(identity));
		vcpu_identity_map(&identity, &machines[round % 4], n_vcpus, &hello);
		assert_sound(n_vcpus, vcpu_identity_text(identity.basis));
		seen[identity.basis]++;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(seen); i++)
		EXPECT(seen[i] > 100, "%s only %u times", vcpu_identity_text(i), seen[i]);
}

/* The largest: each CPU another than its number. */
static void test_largest(_unused_ void **state)
{
	const struct inventory_machine machine = X86(3, 1, 171, 2);

	hello.n_cpus = PROTO_CPUS_MAX;
	for (unsigned i = 0; i < PROTO_CPUS_MAX; i++) {
		hello.cpu[i].cpu = i;
		assert_true(vcpu_identity_id(&machine, PROTO_CPUS_MAX, PROTO_CPUS_MAX - 1 - i,
					     &hello.cpu[i].id));
	}
	vcpu_identity_map(&identity, &machine, PROTO_CPUS_MAX, &hello);
	assert_int_equal(identity.basis, IDENTITY_BY_ID);
	assert_int_equal(identity.vcpu_of_cpu[0], 1023);
	assert_int_equal(identity.vcpu_of_cpu[1023], 0);
	assert_sound(PROTO_CPUS_MAX, "the largest");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86_ids),	      cmocka_unit_test(test_x2apic),
		cmocka_unit_test(test_arm_ids),	      cmocka_unit_test(test_unknown_rules),
		cmocka_unit_test(test_by_id),	      cmocka_unit_test(test_by_number),
		cmocka_unit_test(test_hostile),	      cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
