/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of /proc/schedstat. Pure. */
#include "guestd/schedstat.h"

#include <ctype.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

#define COLUMNS 9U

/* "version 17", the first line. */
static int parse_version(const char *text)
{
	uint64_t version;

	if (strncmp(text, "version ", 8) != 0)
		return -EBADMSG;
	text += 8;
	if (parse_column_u64(&text, &version) < 0 || *text != '\n')
		return -EBADMSG;
	return version < SCHEDSTAT_VERSION_MIN || version > SCHEDSTAT_VERSION_MAX ? -EPROTONOSUPPORT
										  : 0;
}

/* One line behind "cpu". */
static int parse_cpu(const char *text, struct counters *counters, struct cpumask *present)
{
	uint64_t cpu, column[COLUMNS];

	if (!isdigit((unsigned char)*text) || parse_column_u64(&text, &cpu) < 0 ||
	    cpu >= CPUMASK_CPUS || cpumask_has(present, (unsigned)cpu))
		return -EBADMSG;
	for (unsigned i = 0; i < COLUMNS; i++)
		if (parse_column_u64(&text, &column[i]) < 0)
			return -EBADMSG;
	if (text[strspn(text, " ")] != '\n')
		return -EBADMSG;
	cpumask_set(present, (unsigned)cpu);
	counters->cpu[cpu].run_nsec = column[6];
	counters->cpu[cpu].delay_nsec = column[7];
	counters->cpu[cpu].slices = column[8];
	return 0;
}

int schedstat_parse(const char *text, struct counters *counters, struct cpumask *ret_present)
{
	struct cpumask present = {};
	int r = parse_version(text);

	if (r < 0)
		return r;
	while (*text) {
		const char *end = strchr(text, '\n');

		if (!end)
			return -EBADMSG;
		if (strncmp(text, "cpu", 3) == 0) {
			r = parse_cpu(text + 3, counters, &present);
			if (r < 0)
				return r;
		}
		text = end + 1;
	}
	if (cpumask_is_empty(&present))
		return -EBADMSG;
	*ret_present = present;
	return 0;
}
