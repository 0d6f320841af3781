/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the dvfs carriers' pure parts share: a timetable out of literal text, and
 * nothing yet done of it. */
#pragma once

#include "tests/unit/test.h"

#include "tests/lab/dvfs/dispatch.h"
#include "tests/lab/dvfs/meter.h"

static struct timetable table;
static struct dispatch dispatch;

static inline void begin(const char *text, bool by_task)
{
	const char *why = "";
	unsigned line = 0;

	EXPECT(timetable_parse(text, &table, &line, &why) == 0, "line %u: %s", line, why);
	dispatch_init(&dispatch, &table, by_task);
}

static inline const struct dispatch_burst *burst_of(uint32_t id)
{
	for (uint32_t i = 0; i < table.n_bursts; i++)
		if (table.burst[i].id == id)
			return &dispatch.burst[i];
	fail_msg("no burst %u", id);
	return NULL;
}

static inline void assert_burst(uint32_t id, uint32_t cpu, uint64_t released_usec,
				uint64_t begun_usec, uint64_t ended_usec)
{
	const struct dispatch_burst *b = burst_of(id);

	EXPECT(b->cpu == cpu && b->released_usec == released_usec && b->begun_usec == begun_usec &&
		       b->ended_usec == ended_usec,
	       "burst %u: cpu %u released %llu begun %llu ended %llu", id, b->cpu,
	       (unsigned long long)b->released_usec, (unsigned long long)b->begun_usec,
	       (unsigned long long)b->ended_usec);
}
