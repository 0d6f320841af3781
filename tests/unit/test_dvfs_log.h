/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the carriers' programs share: a page that seems fed, and a burst log read back.
 * What they check holds however fast the machine is. */
#pragma once

#include "tests/unit/test.h"

#include "tests/lab/dvfs/hostside.h"

#define FED INT64_C(-3600000000000) /* however slow the machine is */

struct log_burst {
	unsigned id, task, cpu;
	unsigned long long released_usec, begun_usec, ended_usec, work_usec;
};

/* CPUs at a half of their frequency. The feeder's last beat was so long ago; below 0: will be. */
static inline void fill_page(struct freqpage *page, int64_t ago_nsec)
{
	*page = (struct freqpage){.n_cpus = FREQPAGE_CPUS,
				  .beat_nsec = hostside_now_nsec() - (uint64_t)ago_nsec};
	for (unsigned i = 0; i < FREQPAGE_CPUS; i++)
		page->cpu[i] =
			(struct freqpage_cpu){.khz = 1500000, .max_khz = 3000000, .capacity = 1024};
	freqpage_publish(page);
}

/* Its bursts, in the timetable's order; their number. first: what its first line has to begin with.
 */
static inline unsigned read_log(const char *path, const char *first, struct log_burst *bursts,
				unsigned max)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[512];
	unsigned n = 0;

	EXPECT(file && fgets(line, sizeof(line), file), "%s can't be read", path);
	EXPECT(strncmp(line, first, strlen(first)) == 0, "%s", line);
	while (fgets(line, sizeof(line), file)) {
		struct log_burst *b = &bursts[n];

		if (line[0] == '#' || strncmp(line, "start ", 6) == 0 ||
		    strncmp(line, "thread ", 7) == 0)
			continue;
		assert_true(n < max);
		EXPECT(sscanf(line, "burst %u %u %u %llu %llu %llu %llu", &b->id, &b->task, &b->cpu,
			      &b->released_usec, &b->begun_usec, &b->ended_usec,
			      &b->work_usec) == 7,
		       "%s", line);
		n++;
	}
	return n;
}

/* How many threads it names, in order, each another. */
static inline unsigned read_threads(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	unsigned n = 0, index;
	int tid, last = 0;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "thread %u %d", &index, &tid) != 2)
			continue;
		EXPECT(index == n && tid > 0 && tid != last && tid != getpid(), "%s", line);
		last = tid;
		n++;
	}
	return n;
}

/* At half the frequency a burst of so much work takes at least twice as long. */
static inline void assert_worked(const struct log_burst *b)
{
	EXPECT(b->released_usec <= b->begun_usec && b->begun_usec <= b->ended_usec, "burst %u",
	       b->id);
	/* us are cut off at both ends */
	EXPECT(b->ended_usec - b->begun_usec + 2 >= 2 * b->work_usec, "burst %u was too fast",
	       b->id);
}
