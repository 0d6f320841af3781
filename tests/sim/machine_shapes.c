/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines that scenarios name. Those of the arm64 lab are tests/lab/dts.sh's without its CPUs 4
 * and 5; the others are made up to be like what there is, and are nobody's data sheet. */
#include "common/macro.h"
#include "tests/sim/machine.h"

#include <string.h>

/* A row of CPUs that are alike. Voltage rises with the frequency, power is coefficient x MHz x V x
 * V. */
struct cluster {
	unsigned n_cpus;
	double capacity;
	double coefficient; /* dynamic-power-coefficient, uW / MHz / V^2 */
	unsigned low_mhz, high_mhz, step_mhz;
	unsigned low_mv, high_mv;
	bool one_domain; /* else a domain for each CPU */
};

struct shape {
	const char *name;
	unsigned release_major, release_minor;
	bool energy_aware, invariant, fast_switch;
	uint64_t latency_nsec;
	uint64_t wake_nsec, wake_jitter_nsec; /* out of idle */
	struct cluster cluster[4];
};

#define LAB_BIG	   1024, 480, 600, 3000, 300, 650, 1100
#define LAB_LITTLE 300, 80, 400, 2000, 400, 600, 900
/* Invariant, slow to switch, and soon out of idle. */
#define ARM true, false, 10 * SIM_USEC, 10 * SIM_USEC, 10 * SIM_USEC
/* The same as the lab emulates them, where a task waits longer for an idle CPU: fitted, see
 * README.md. */
#define EMULATED true, false, 10 * SIM_USEC, 40 * SIM_USEC, 130 * SIM_USEC
#define PC	 true, 10 * SIM_USEC, 10 * SIM_USEC, 10 * SIM_USEC
#define SEPARATE                                                                                   \
	{                                                                                          \
		{                                                                                  \
			4, LAB_BIG, false                                                          \
		}                                                                                  \
	}
#define SHARED                                                                                     \
	{                                                                                          \
		{                                                                                  \
			4, LAB_BIG, true                                                           \
		}                                                                                  \
	}
#define BIGLITTLE                                                                                  \
	{                                                                                          \
		{2, LAB_LITTLE, true},                                                             \
		{                                                                                  \
			2, LAB_BIG, true                                                           \
		}                                                                                  \
	}

static const struct shape shapes[] = {
	{"separate", 7, 3, false, ARM, SEPARATE},
	{"shared", 7, 3, false, ARM, SHARED},
	{"biglittle", 7, 3, true, ARM, BIGLITTLE},
	{"old61", 6, 1, false, ARM, SEPARATE},
	{"lab-separate", 7, 3, false, EMULATED, SEPARATE},
	{"lab-shared", 7, 3, false, EMULATED, SHARED},
	{"lab-biglittle", 7, 3, true, EMULATED, BIGLITTLE},
	{"server16", 7, 3, false, false, PC, {{16, 1024, 1100, 1200, 3200, 200, 700, 1100, false}}},
	{"hybrid8",
	 7,
	 3,
	 false,
	 true,
	 PC,
	 {{4, 1024, 900, 800, 4800, 400, 650, 1200, false},
	  {4, 600, 350, 600, 3600, 300, 600, 1050, false}}},
	{"phone8",
	 7,
	 3,
	 true,
	 true,
	 false,
	 30 * SIM_USEC,
	 20 * SIM_USEC,
	 20 * SIM_USEC,
	 {{4, 250, 70, 300, 1800, 300, 550, 950, true},
	  {3, 700, 230, 400, 2400, 400, 550, 1000, true},
	  {1, 1024, 430, 450, 2850, 300, 600, 1100, true}}},
};

static bool since(const struct shape *shape, unsigned major, unsigned minor)
{
	return shape->release_major > major ||
	       (shape->release_major == major && shape->release_minor >= minor);
}

/* cpufreq_policy_transition_delay_us() of a driver that states its latency. Until 6.9 it was 1000
 * times the latency and at most 10 ms, until 6.12 at most 2 ms; since then half as much again. */
static uint64_t rate_limit(const struct shape *shape)
{
	if (since(shape, 6, 12))
		return shape->latency_nsec + shape->latency_nsec / 2;
	return MIN(shape->latency_nsec * 1000, (since(shape, 6, 9) ? 2 : 10) * SIM_MSEC);
}

static void fill_domain(struct freq_domain *domain, const struct shape *shape,
			const struct cluster *cluster)
{
	unsigned span = cluster->high_mhz - cluster->low_mhz;

	*domain = (struct freq_domain){
		.latency_nsec = shape->latency_nsec,
		.rate_limit_nsec = rate_limit(shape),
		.fast_switch = shape->fast_switch,
	};
	for (unsigned mhz = cluster->low_mhz; mhz <= cluster->high_mhz; mhz += cluster->step_mhz) {
		unsigned rise = (cluster->high_mv - cluster->low_mv) * 1000 *
				(mhz - cluster->low_mhz) / span;
		double volt = (cluster->low_mv * 1000 + rise) / 1e6;

		domain->opp[domain->n_opps++] = (struct opp){
			.khz = mhz * 1000,
			.mw = cluster->coefficient * mhz * volt * volt / 1000,
		};
	}
}

static void add_cluster(struct machine_config *config, const struct shape *shape,
			const struct cluster *cluster)
{
	for (unsigned i = 0; i < cluster->n_cpus; i++) {
		unsigned cpu = config->kernel.n_cpus++;

		if (i == 0 || !cluster->one_domain)
			fill_domain(&config->domain[config->n_domains++], shape, cluster);
		config->kernel.domain[cpu] = config->n_domains - 1;
		config->kernel.capacity[cpu] = cluster->capacity;
	}
}

bool machine_shape(const char *name, struct machine_config *ret)
{
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		const struct shape *shape = &shapes[i];

		if (strcmp(name, shape->name) != 0)
			continue;
		*ret = (struct machine_config){
			.release_major = shape->release_major,
			.release_minor = shape->release_minor,
		};
		kernel_config_init(&ret->kernel);
		ret->kernel.n_cpus = 0;
		ret->kernel.energy_aware = shape->energy_aware;
		ret->kernel.invariant = shape->invariant;
		ret->kernel.wake_nsec = shape->wake_nsec;
		ret->kernel.wake_jitter_nsec = shape->wake_jitter_nsec;
		ret->kernel.runnable_boost = since(shape, 6, 5);
		ret->kernel.est_keeps = since(shape, 6, 8);
		for (unsigned c = 0; c < 4; c++)
			add_cluster(ret, shape, &shape->cluster[c]);
		return true;
	}
	return false;
}
