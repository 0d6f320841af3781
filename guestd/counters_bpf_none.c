/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The door of counters_bpf.h in a build without eBPF: it doesn't open, so nothing else is called.
 */
#include "guestd/counters_bpf.h"

#include "common/macro.h"

int counters_bpf_open(_unused_ const struct counters_bpf_options *options,
		      _unused_ struct counters_bpf **ret, enum counters_bpf_lack *ret_lack)
{
	*ret_lack = counters_bpf_lack_of(COUNTERS_BPF_BUILD, -EOPNOTSUPP);
	return -EOPNOTSUPP;
}

void counters_bpf_close(_unused_ struct counters_bpf *bpf)
{
}

int counters_bpf_fd(_unused_ const struct counters_bpf *bpf)
{
	return -EBADF;
}

int counters_bpf_drain(_unused_ struct counters_bpf *bpf, struct cpumask *ret)
{
	cpumask_clear(ret);
	return 0;
}

unsigned counters_bpf_n_cpus(_unused_ const struct counters_bpf *bpf)
{
	return 0;
}

int counters_bpf_read(_unused_ const struct counters_bpf *bpf, _unused_ unsigned cpu,
		      _unused_ uint64_t now_nsec, _unused_ struct pelt_record *ret)
{
	return -ENOENT;
}

bool counters_bpf_sent(_unused_ struct counters_bpf *bpf, _unused_ unsigned cpu,
		       _unused_ uint16_t wanted1024, _unused_ uint64_t now_nsec)
{
	return false;
}

void counters_bpf_configure(_unused_ struct counters_bpf *bpf,
			    _unused_ const struct pelt_step *step)
{
}

const char *counters_bpf_program(_unused_ const struct counters_bpf *bpf, _unused_ unsigned n,
				 int *ret_fd)
{
	*ret_fd = -EBADF;
	return NULL;
}
