/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of /proc/stat. Pure. */
#include "common/cpustat.h"

#include <ctype.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

enum column { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, COLUMNS };

/* One line behind "cpu": "3 1 2 ...". */
static int parse_cpu(const char *text, struct counters *counters)
{
	uint64_t cpu, column[COLUMNS], busy = 0;

	if (!isdigit((unsigned char)*text) || parse_column_u64(&text, &cpu) < 0 ||
	    cpu >= CPUMASK_CPUS || cpumask_has(&counters->present, (unsigned)cpu))
		return -EBADMSG;
	for (unsigned i = 0; i < COLUMNS; i++)
		if (parse_column_u64(&text, &column[i]) < 0)
			return -EBADMSG;
	for (unsigned i = 0; i < COLUMNS; i++)
		if (i != IDLE && i != IOWAIT && i != STEAL &&
		    __builtin_add_overflow(busy, column[i], &busy))
			return -EBADMSG;
	cpumask_set(&counters->present, (unsigned)cpu);
	counters->cpu[cpu].busy_ticks = busy;
	counters->cpu[cpu].idle_ticks = column[IDLE];
	counters->cpu[cpu].iowait_ticks = column[IOWAIT];
	counters->cpu[cpu].steal_ticks = column[STEAL];
	return 0;
}

static int parse_line(const char *text, struct counters *counters)
{
	static const char running[] = "procs_running ";

	if (strncmp(text, "cpu", 3) == 0)
		return text[3] == ' ' ? 0 : parse_cpu(text + 3, counters); /* "cpu " is the sum */
	if (strncmp(text, running, sizeof(running) - 1) == 0) {
		text += sizeof(running) - 1;
		return parse_column_u64(&text, &counters->procs_running) < 0 ? -EBADMSG : 0;
	}
	return 0;
}

int cpustat_parse(const char *text, struct counters *counters)
{
	cpumask_clear(&counters->present);
	counters->procs_running = 0;
	while (*text) {
		/* The line of interrupts alone can have thousands of numbers: strchr() leaps it. */
		const char *end = strchr(text, '\n');
		int r;

		if (!end)
			return -EBADMSG;
		r = parse_line(text, counters);
		if (r < 0)
			return r;
		text = end + 1;
	}
	return cpumask_is_empty(&counters->present) ? -EBADMSG : 0;
}
