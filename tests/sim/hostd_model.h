/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-hostd on a simulated host: its pure objects, wired as domain.c, session.c and host.c wire
 * them, between paths (path_model.h) and the vCPU threads of a simulated kernel. Nothing is decided
 * here; what maps demands to floors is in hostd_model_policy.c alone. It is one process, that
 * serves one thing after the other, each of which takes time; of the host's CPUs it takes none. */
#pragma once

#include "hostd/host_config.h"
#include "tests/sim/path_model.h"
#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

struct hostd_config {
	struct host_config host; /* [host] of vmfreq.conf */
	uint64_t wake_nsec;	 /* from what wakes it to its running */
	uint64_t work_nsec;	 /* to take what one guest sent, decide and write */
	uint64_t look_nsec; /* between two looks at the host, while something is demanded; 0: never
			     */
	uint64_t look_each_nsec; /* work of a look for each thread, and each CPU */
	uint64_t settled_from_nsec,
		settled_until_nsec;  /* writes in between count as of a settled state */
	uint64_t figures_nsec;	     /* how long figures are counted, for what is told per second */
	uint16_t budget1024_percent; /* as in struct scenario */
};

/* As in conf/vmfreq.conf; 10 + 20 us of its own; looks as the policy wants them. */
void hostd_config_init(struct hostd_config *config);

struct hostd_model;

/* NULL if there is no memory. All but config outlives it. */
struct hostd_model *hostd_model_new(struct queue *queue, struct machine *machine,
				    const struct hostd_config *config, struct arm_figures *figures);
void hostd_model_free(struct hostd_model *host);

/* A domain appears, goes, or is otherwise by libvirt's word. -ENOMEM. */
int hostd_model_add(struct hostd_model *host, struct vm *vm, struct path *path,
		    const struct agent_config *agent);
void hostd_model_remove(struct hostd_model *host, const struct vm *vm);
void hostd_model_changed(struct hostd_model *host, const struct vm *vm);

/* For tests. */
uint16_t hostd_model_floor(const struct hostd_model *host, const struct vm *vm, unsigned vcpu);
bool hostd_model_has_guest(const struct hostd_model *host, const struct vm *vm);
