/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which vCPU, by libvirt's index, each CPU of a guest is. Pure. */
#include "hostd/vcpu_identity.h"

#include "common/macro.h"

/* -- the ids that QEMU gives
 * ----------------------------------------------------------------------*/

/* How many bits the numbers below count take. */
static unsigned width_of(uint32_t count)
{
	unsigned width = 0;

	while (UINT64_C(1) << width < count)
		width++;
	return width;
}

static bool x86_id(const struct inventory_machine *machine, unsigned n_vcpus, unsigned vcpu,
		   uint64_t *ret)
{
	const uint32_t levels[] = {machine->threads, machine->cores, machine->dies};
	uint64_t room = machine->sockets, id = 0;
	unsigned shift = 0;

	if (machine->sockets == 0) {
		*ret = vcpu; /* as many sockets, each of one core */
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		room *= levels[i]; /* levels are of 16 bits */
	if (machine->clusters != 1 || room < n_vcpus)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		id |= (uint64_t)(vcpu % levels[i]) << shift;
		vcpu /= levels[i];
		shift += width_of(levels[i]);
	}
	*ret = id | (uint64_t)vcpu << shift;
	return *ret <= UINT32_MAX;
}

bool vcpu_identity_id(const struct inventory_machine *machine, unsigned n_vcpus, unsigned vcpu,
		      uint64_t *ret)
{
	unsigned cluster = machine->gic2 ? 8 : 16;

	switch (machine->kind) {
	case MACHINE_X86:
		return x86_id(machine, n_vcpus, vcpu, ret);
	case MACHINE_ARM_VIRT:
		*ret = (uint64_t)(vcpu / cluster) << 8 | vcpu % cluster;
		return true;
	default:
		return false;
	}
}

static bool get_all_ids(const struct inventory_machine *machine, unsigned n_vcpus, uint64_t *ret)
{
	for (unsigned i = 0; i < n_vcpus; i++)
		if (!vcpu_identity_id(machine, n_vcpus, i, &ret[i]))
			return false;
	return true;
}

/* -- which CPU is which
 * ---------------------------------------------------------------------------*/

static void clear(struct vcpu_identity *identity)
{
	for (unsigned i = 0; i < PROTO_CPUS_MAX; i++)
		identity->vcpu_of_cpu[i] = identity->cpu_of_vcpu[i] = VCPU_IDENTITY_NONE;
}

static void join(struct vcpu_identity *identity, unsigned cpu, unsigned vcpu)
{
	identity->vcpu_of_cpu[cpu] = (uint16_t)vcpu;
	identity->cpu_of_vcpu[vcpu] = (uint16_t)cpu;
}

void vcpu_identity_by_number(struct vcpu_identity *identity, unsigned n_vcpus,
			     enum vcpu_identity_basis basis)
{
	clear(identity);
	identity->basis = basis;
	for (unsigned i = 0; i < n_vcpus; i++)
		join(identity, i, i);
}

static bool find_id(const uint64_t *ids, unsigned n, uint64_t id, unsigned *ret)
{
	for (unsigned i = 0; i < n; i++)
		if (ids[i] == id) {
			*ret = i;
			return true;
		}
	return false;
}

/* Those that have one. */
static enum vcpu_identity_basis join_by_id(struct vcpu_identity *identity, const uint64_t *ids,
					   unsigned n_vcpus, const struct message_hello *hello)
{
	unsigned without = 0, vcpu;

	for (unsigned i = 0; i < hello->n_cpus; i++) {
		const struct hello_cpu *cpu = &hello->cpu[i];

		if (cpu->id == UINT64_MAX) {
			without++;
			continue;
		}
		if (!find_id(ids, n_vcpus, cpu->id, &vcpu))
			return IDENTITY_FOREIGN_ID;
		if (identity->cpu_of_vcpu[vcpu] != VCPU_IDENTITY_NONE)
			return IDENTITY_DOUBLED_ID;
		join(identity, cpu->cpu, vcpu);
	}
	if (without == hello->n_cpus)
		return IDENTITY_NO_IDS;
	return without > 0 ? IDENTITY_SOME_WITHOUT_ID : IDENTITY_BY_ID;
}

/* The others, where their number leads to a vCPU that nobody is. */
static void join_rest(struct vcpu_identity *identity, unsigned n_vcpus,
		      const struct message_hello *hello)
{
	for (unsigned i = 0; i < hello->n_cpus; i++) {
		const struct hello_cpu *cpu = &hello->cpu[i];

		if (cpu->id == UINT64_MAX && cpu->cpu < n_vcpus &&
		    identity->cpu_of_vcpu[cpu->cpu] == VCPU_IDENTITY_NONE)
			join(identity, cpu->cpu, cpu->cpu);
	}
}

void vcpu_identity_map(struct vcpu_identity *identity, const struct inventory_machine *machine,
		       unsigned n_vcpus, const struct message_hello *hello)
{
	uint64_t ids[PROTO_CPUS_MAX];

	if (!get_all_ids(machine, n_vcpus, ids)) {
		vcpu_identity_by_number(identity, n_vcpus, IDENTITY_MACHINE_UNKNOWN);
		return;
	}
	clear(identity);
	identity->basis = join_by_id(identity, ids, n_vcpus, hello);
	if (identity->basis > IDENTITY_SOME_WITHOUT_ID)
		vcpu_identity_by_number(identity, n_vcpus, identity->basis);
	else
		join_rest(identity, n_vcpus, hello);
}

const char *vcpu_identity_text(enum vcpu_identity_basis basis)
{
	static const char *const texts[] = {
		[IDENTITY_BY_ID] = "each of its CPUs is known by its id",
		[IDENTITY_SOME_WITHOUT_ID] = "it doesn't know the ids of some of its CPUs",
		[IDENTITY_NO_IDS] = "it doesn't know its CPUs' ids",
		[IDENTITY_MACHINE_UNKNOWN] = "its machine isn't known here",
		[IDENTITY_FOREIGN_ID] = "an id is none of this machine's vCPUs",
		[IDENTITY_DOUBLED_ID] = "two of its CPUs have one id",
	};

	return texts[basis];
}
