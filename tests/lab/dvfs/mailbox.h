/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What payload-run and the payload share: a fixed part of the guest's memory. No libc. */
#pragma once

#include "tests/lab/dvfs/dispatch.h"
#include "tests/lab/dvfs/freqpage.h"

#define MAILBOX_MAGIC	0x626d7276u /* "vrmb" */
#define MAILBOX_VERSION 1u
#define MAILBOX_RAM	UINT64_C(0x40000000) /* where -M virt has memory, */
#define MAILBOX_OFFSET                                                                             \
	UINT64_C(0x03000000) /* and the mailbox in it: behind what QEMU puts there                 \
			      */
#define MAILBOX_RAM_SIZE UINT64_C(0x04000000) /* 64 MiB in all */
#define MAILBOX_VCPUS	 TIMETABLE_CPUS

/* What the host wants. The payload looks every 20 ms, but not while it runs. */
enum mailbox_command {
	MAILBOX_IDLE,
	MAILBOX_PING, /* vCPU 0 answers pings, spinning: for the offset of the clocks */
	MAILBOX_RUN,
	MAILBOX_OFF,
};

/* What the payload does. */
enum mailbox_state {
	MAILBOX_BOOTING,
	MAILBOX_READY,
	MAILBOX_PINGING,
	MAILBOX_RUNNING,
	MAILBOX_DONE
};

/* Where a vCPU learns how long it was preempted. */
enum mailbox_steal { MAILBOX_STEAL_NONE, MAILBOX_STEAL_PV_TIME, MAILBOX_STEAL_PAGE };

struct mailbox {
	uint32_t magic, version;
	uint32_t state;	    /* the payload's */
	uint32_t command;   /* the host's */
	uint32_t n_vcpus;   /* that have come up */
	uint32_t n_pv_time; /* of them, those with KVM's steal time */
	uint64_t counter_hz;
	uint64_t ping, pong,
		pong_count;   /* the host's number, the payload's answer and its CNTVCT */
	uint64_t start_count; /* CNTVCT at the timetable's start */
	uint32_t steal[MAILBOX_VCPUS];
	uint64_t stolen_nsec[MAILBOX_VCPUS]; /* during the run */
	uint64_t asleep_nsec[MAILBOX_VCPUS]; /* of it while it slept */
	uint64_t steps[MAILBOX_VCPUS], step_nsec[MAILBOX_VCPUS];
	uint32_t n_runs;  /* begun so far */
	uint32_t n_ended; /* lanes that are at their end */
	uint32_t lock;	  /* of dispatch */
	uint32_t unused;
	uint64_t fault_esr, fault_elr, fault_far; /* an exception, which ends the payload */
	uint8_t page[FREQPAGE_SIZE] __attribute__((aligned(FREQPAGE_SIZE))); /* struct freqpage */
	struct timetable timetable;
	struct dispatch dispatch;
};

_Static_assert(MAILBOX_OFFSET + sizeof(struct mailbox) <= MAILBOX_RAM_SIZE, "guest memory");

#define MAILBOX_GET(field)	  __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define MAILBOX_SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)
