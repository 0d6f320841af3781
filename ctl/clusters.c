/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUs of a guest share a frequency, from the command line. Pure. */
#include "ctl/clusters.h"

#include <stdio.h>
#include <string.h>

#include "common/macro.h"

static int add(struct clusters *clusters, const char *list, char *why, size_t size)
{
	struct cpumask cpus;

	if (cpumask_parse(list, &cpus) < 0 || cpumask_is_empty(&cpus)) {
		snprintf(why, size, "'%.80s' is no list of CPUs below %u: write 0-3:4-7", list,
			 CLUSTERS_CPUS);
		return -EINVAL;
	}
	clusters->n++;
	CPUMASK_FOREACH(cpu, &cpus) {
		if (clusters->of[cpu] != 0) {
			snprintf(why, size, "CPU %u is there twice: leave one out", cpu);
			return -EINVAL;
		}
		clusters->of[cpu] = (uint16_t)clusters->n;
	}
	return 0;
}

int clusters_parse(const char *text, struct clusters *ret, char *why, size_t size)
{
	struct clusters clusters = {};

	for (const char *end;; text = end + 1) {
		char list[CPUMASK_TEXT_MAX];
		int r = -EINVAL;

		end = strchr(text, ':');
		if (!end)
			end = text + strlen(text);
		if (end - text < (ptrdiff_t)sizeof(list)) {
			memcpy(list, text, (size_t)(end - text));
			list[end - text] = '\0';
			r = add(&clusters, list, why, size);
		} else {
			snprintf(why, size, "a list of CPUs is longer than any can be");
		}
		if (r < 0)
			return r;
		if (*end == '\0')
			break;
	}
	*ret = clusters;
	return 0;
}

int clusters_last(const struct clusters *clusters)
{
	for (int cpu = CLUSTERS_CPUS - 1; cpu >= 0; cpu--)
		if (clusters->of[cpu] != 0)
			return cpu;
	return -1;
}
