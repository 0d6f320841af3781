/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines of a scenario that are about VMs. */
#pragma once

#include "tests/sim/scenario.h"
#include "tests/sim/text.h"

#define SCENARIO_VMS_MAX 4096U

/* VMs that one line made: "web" with count 3 is web1, web2 and web3. */
struct vm_family {
	char name[32];
	unsigned first, n;
};

/* "NAME key value ...", from the word at on: adds its VMs. */
int scenario_vm_parse(const struct text_line *line, unsigned at, struct scenario *scenario,
		      struct vm_family *ret);
/* One list for each of n vCPUs: "0-3" for all of them, "0/1/2-3", or "each:0-3", which gives vCPU k
 * (of all the line's VMs, and this is the first-th) the list's k-th CPU, and begins again at its
 * end. The CPUs are below n_cpus. */
int scenario_pins_parse(const struct text_line *line, const char *word, unsigned first, unsigned n,
			unsigned n_cpus, uint64_t *ret);
void scenario_vms_free(struct scenario *scenario);
