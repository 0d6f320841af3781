/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd's readers of /proc and what follows them, on texts that somebody made up: the first byte
 * says which. Two /proc/stat and schedstat in a row drive the estimator, and its results must be in
 * their range whatever the counters do. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/macro.h"
#include "common/cpustat.h"
#include "guestd/estimate.h"
#include "guestd/psi.h"
#include "guestd/reporter.h"
#include "guestd/schedstat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct counters counters;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void fuzz_psi(const char *text)
{
	struct psi psi;

	if (psi_parse(text, &psi) == 0)
		require(psi.fields & PSI_SOME_TOTAL && psi.some_avg10_centi <= 10000);
}

/* Cuts the next piece off at a 0x01; NULL if there is none. */
static char *next_text(char **rest)
{
	char *text = *rest, *end;

	if (!text)
		return NULL;
	end = strchr(text, 1);
	*rest = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return text;
}

static void check(const struct estimator *estimator, struct reporter *reporter)
{
	static struct report_vcpu records[PROTO_CPUS_MAX];
	struct message_report report;

	for (unsigned i = 0; i < CPUMASK_CPUS; i++) {
		struct estimate estimate;

		estimator_get(estimator, i, &estimate);
		require(estimate.util_avg <= 1024 && estimate.util_est <= 1024 &&
			estimate.util_est >= estimate.util_avg);
		if (cpumask_has(&counters.present, i))
			reporter_put(reporter, i, &estimate, 1024);
		else
			reporter_remove(reporter, i);
	}
	reporter_build(reporter, 1, &report, records);
	require(report.n_vcpus <= PROTO_CPUS_MAX);
}

/* Texts one after the other: /proc/stat, /proc/schedstat, /proc/stat... 10 ms apart. */
static void fuzz_counters(char *rest, uint64_t interval_nsec)
{
	struct estimator *estimator = estimator_new(20000000, 2000000000);
	struct reporter *reporter = reporter_new();
	char *text;

	if (!estimator || !reporter)
		abort();
	counters.stamp_nsec = 0;
	while ((text = next_text(&rest))) {
		struct cpumask present;

		counters.stamp_nsec += interval_nsec;
		counters.self_cpu = 0;
		counters.has_schedstat = false;
		if (cpustat_parse(text, &counters) < 0)
			continue;
		text = next_text(&rest);
		if (text && schedstat_parse(text, &counters, &present) == 0) {
			cpumask_and(&counters.present, &counters.present, &present);
			counters.has_schedstat = true;
		}
		estimator_update(estimator, &counters, NULL);
		check(estimator, reporter);
	}
	estimator_free(estimator);
	reporter_free(reporter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t intervals[] = {0, 10000000, 250000000, UINT64_MAX / 8};
	_cleanup_free_ char *text = NULL;

	if (size == 0)
		return 0;
	text = malloc(size);
	if (!text)
		abort();
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] % 4 == 0)
		fuzz_psi(text);
	else
		fuzz_counters(text, intervals[data[0] % 4]);
	return 0;
}
