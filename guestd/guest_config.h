/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The section [guest] of /etc/vmfreq.conf. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"

enum guest_signal_choice { GUEST_SIGNAL_AUTO, GUEST_SIGNAL_PROC, GUEST_SIGNAL_EBPF };

struct guest_config {
	uint64_t signal;	     /* enum guest_signal_choice */
	uint64_t interval_usec;	     /* between samples while a CPU is busy */
	uint64_t idle_interval_usec; /* while none is */
	uint64_t window_usec;
	uint64_t step1024;
	uint64_t lease_usec;
	uint64_t cid;
	uint64_t port;
	bool cpufreq;
	uint64_t cpufreq_interval_usec; /* between two writes to one policy */
};

extern const struct config_key guest_config_keys[];
extern const size_t guest_config_keys_n;
extern const struct config_table guest_config_table;
