/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which vCPU, by libvirt's index, each CPU of a guest is. Pure.
 *
 * A guest numbers its CPUs as it likes: those that it boots with in the order of a table, those
 * that are plugged in later as they come. So a number isn't an index; but QEMU gives each vCPU an
 * id by a rule, and HELLO says which CPU has which.
 *
 * A HELLO is a stranger's word. It can't reach beyond the domain's own vCPUs, whatever is in it,
 * and no two CPUs are ever one vCPU. Where its ids can't all be right, none is believed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hostd/inventory.h"
#include "proto/message.h"

#define VCPU_IDENTITY_NONE UINT16_MAX

/* What tells which vCPU a CPU is. */
enum vcpu_identity_basis {
	IDENTITY_BY_ID,		  /* all CPUs by their ids */
	IDENTITY_SOME_WITHOUT_ID, /* those without one by number, where no other CPU is that vCPU */
	/* All by number: it is taken for the index. */
	IDENTITY_NO_IDS,	  /* the guest doesn't know them */
	IDENTITY_MACHINE_UNKNOWN, /* the host doesn't know its machine's rule */
	IDENTITY_FOREIGN_ID,	  /* an id is no vCPU's of this machine: the rule is another */
	IDENTITY_DOUBLED_ID,	  /* two CPUs have one */
};

struct vcpu_identity {
	enum vcpu_identity_basis basis;
	uint16_t vcpu_of_cpu[PROTO_CPUS_MAX]; /* or VCPU_IDENTITY_NONE */
	uint16_t cpu_of_vcpu[PROTO_CPUS_MAX]; /* or VCPU_IDENTITY_NONE */
};

/* The id of a vCPU below n_vcpus, 1..PROTO_CPUS_MAX. Whether the machine's rule is known:
 * - x86, APIC id: each level of the topology has a field of as many bits as its count needs, so
 * counts that are no powers of two leave holes (QEMU, include/hw/i386/topology.h:
 *   x86_apicid_from_cpu_idx(); libvirt says `sockets` alone if the XML has no topology). Clusters
 *   aren't x86's.
 * - arm64 "virt", MPIDR affinity: Aff0 counts to 16, or 8 with a GICv2, then Aff1 (QEMU,
 *   hw/arm/virt.c: virt_cpu_mp_affinity()); KVM's own is the same, for a GICv2 has 8 CPUs at most
 *   (Linux, arch/arm64/kvm/sys_regs.c: reset_mpidr()). */
bool vcpu_identity_id(const struct inventory_machine *machine, unsigned n_vcpus, unsigned vcpu,
		      uint64_t *ret);

/* Finds out what each CPU of the HELLO is. n_vcpus as above. */
void vcpu_identity_map(struct vcpu_identity *identity, const struct inventory_machine *machine,
		       unsigned n_vcpus, const struct message_hello *hello);

/* Every number is the index, for as many as there are. */
void vcpu_identity_by_number(struct vcpu_identity *identity, unsigned n_vcpus,
			     enum vcpu_identity_basis basis);

/* What the basis is, in words: "two of its CPUs have one id". */
const char *vcpu_identity_text(enum vcpu_identity_basis basis);
