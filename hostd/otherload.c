/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What runs on the host's CPUs besides the threads of vCPUs that report. Pure. */
#include "hostd/otherload.h"

#include "common/macro.h"
#include "common/pelt_decay.h"

#define ONE	   (INT64_C(1024) * 1024)
#define GAP_NSEC   (USEC_PER_SEC * NSEC_PER_USEC)
#define HALF_LIVES 8U /* of PELT's: 256 ms */

void otherload_vcpu(struct otherload *load, uint64_t run_nsec)
{
	load->vcpus_nsec += run_nsec;
}

/* In 1/1024, and below zero too: the unit's error of one look is made good at the next. */
static int64_t share1024(const struct otherload *load, uint64_t idle_nsec, uint64_t nsec)
{
	int64_t busy_nsec = (int64_t)nsec - (int64_t)(idle_nsec - load->idle_nsec);
	int64_t rest_nsec = busy_nsec - (int64_t)MIN(load->vcpus_nsec, 2 * nsec);

	return rest_nsec * (int64_t)CAPACITY_SCALE / (int64_t)nsec;
}

uint16_t otherload_look(struct otherload *load, uint64_t idle_nsec, uint16_t delivered1024,
			uint64_t stamp_nsec)
{
	uint64_t nsec = stamp_nsec - load->stamp_nsec;
	bool follows = load->stamp_nsec > 0 && stamp_nsec > load->stamp_nsec && nsec <= GAP_NSEC &&
		       idle_nsec >= load->idle_nsec && idle_nsec - load->idle_nsec <= 2 * nsec;

	if (follows) {
		int64_t kept = (int64_t)pelt_decay(ONE, nsec / HALF_LIVES);
		int64_t now = share1024(load, idle_nsec, nsec) * delivered1024;
		int64_t mean = (load->mean * kept + now * (ONE - kept)) / ONE;

		load->mean = (int32_t)CLAMP(mean, -ONE / 8, ONE);
	}
	load->stamp_nsec = stamp_nsec;
	load->idle_nsec = idle_nsec;
	load->vcpus_nsec = 0;
	return (uint16_t)(MAX(load->mean, 0) / 1024);
}
