/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/feed.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define STAT_PROCESSOR 39 /* proc(5) */
#define STAT_STATE     3  /* the first behind the name */

/* The last place of what in the text before end, behind it; NULL. A thread's name may hold
 * anything, but stands before what the kernel writes. */
static const char *behind_last(const char *text, const char *end, const char *what)
{
	size_t length = strlen(what);

	for (const char *at = end - length; at >= text; at--)
		if (memcmp(at, what, length) == 0)
			return at + length;
	return NULL;
}

static bool read_u64(const char **at, uint64_t *ret)
{
	const char *begin = *at;

	*ret = 0;
	while (**at >= '0' && **at <= '9' && *at - begin < 18)
		*ret = *ret * 10 + (uint64_t)(*(*at)++ - '0');
	return *at > begin;
}

static bool read_u32_behind(const char *line, const char *end, const char *what, uint32_t *ret)
{
	const char *at = behind_last(line, end, what);
	uint64_t value;

	if (!at || !read_u64(&at, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* "   comm-1234    [002] d..2.   123.456789" before ": event:" */
static bool parse_head(const char *line, const char *end, struct feed_event *event)
{
	const char *at = behind_last(line, end, " ");
	uint64_t sec, usec;
	const char *point;

	if (!at || !read_u64(&at, &sec) || *at++ != '.')
		return false;
	point = at;
	if (!read_u64(&at, &usec) || at != end || at - point != 6)
		return false;
	event->at_usec = sec * 1000000 + usec;
	return read_u32_behind(line, end, "[", &event->cpu);
}

static bool parse_frequency(const char *line, const char *head_end, const char *end,
			    struct feed_event *event)
{
	event->kind = FEED_FREQUENCY;
	return parse_head(line, head_end, event) &&
	       read_u32_behind(head_end, end, " state=", &event->khz) &&
	       read_u32_behind(head_end, end, " cpu_id=", &event->cpu);
}

static bool parse_switch(const char *line, const char *head_end, const char *end,
			 struct feed_event *event)
{
	const char *arrow, *state;

	event->kind = FEED_SWITCH;
	arrow = behind_last(head_end, end, " ==> ");
	state = arrow ? behind_last(head_end, arrow, " prev_state=") : NULL;
	if (!state || !parse_head(line, head_end, event))
		return false;
	event->from_ready = *state == 'R';
	return read_u32_behind(head_end, arrow, " prev_pid=", &event->from_tid) &&
	       read_u32_behind(arrow, end, " next_pid=", &event->to_tid);
}

/* "CPU:1 [LOST 12 EVENTS]" */
static bool parse_lost(const char *line, const char *end, struct feed_event *event)
{
	const char *at = behind_last(line, end, "[LOST ");

	event->kind = FEED_LOST;
	return at && strncmp(line, "CPU:", 4) == 0 && read_u64(&at, &event->n);
}

bool feed_parse(const char *line, struct feed_event *ret)
{
	static const char frequency[] = ": cpu_frequency:", change[] = ": sched_switch:";
	struct feed_event event = {};
	const char *at, *end = line + strlen(line);
	bool ok;

	if ((at = strstr(line, frequency)))
		ok = parse_frequency(line, at, end, &event);
	else if ((at = strstr(line, change)))
		ok = parse_switch(line, at, end, &event);
	else
		ok = parse_lost(line, end, &event);
	if (ok)
		*ret = event;
	return ok;
}

static void apply_switch(struct freqpage_vcpu *vcpu, const struct feed_event *event)
{
	uint64_t at_nsec = event->at_usec * 1000;
	uint64_t preempted_nsec = vcpu->preempted_nsec;

	if (vcpu->tid == event->to_tid) {
		if (vcpu->since_nsec > 0 && at_nsec > vcpu->since_nsec)
			preempted_nsec += at_nsec - vcpu->since_nsec;
		FREQPAGE_SET(vcpu->cpu, event->cpu);
		freqpage_set_preempted(vcpu, preempted_nsec, 0);
	} else if (vcpu->tid == event->from_tid) {
		freqpage_set_preempted(vcpu, preempted_nsec, event->from_ready ? at_nsec : 0);
	}
}

bool feed_apply(struct freqpage *page, const struct feed_event *event)
{
	if (event->kind == FEED_LOST) {
		FREQPAGE_SET(page->lost, page->lost + event->n);
	} else if (event->kind == FEED_SWITCH) {
		for (unsigned i = 0; i < FREQPAGE_VCPUS; i++)
			if (page->vcpu[i].tid != 0)
				apply_switch(&page->vcpu[i], event);
	} else if (event->cpu < page->n_cpus) {
		FREQPAGE_SET(page->cpu[event->cpu].khz, event->khz);
		return true;
	}
	return false;
}

void feed_count_late(struct freqpage *page, uint64_t at_usec, uint64_t stored_usec)
{
	uint64_t late_usec = stored_usec > at_usec ? stored_usec - at_usec : 0;
	unsigned bucket = 0;

	while (bucket < FREQPAGE_BUCKETS - 1 && late_usec >> bucket != 0)
		bucket++;
	FREQPAGE_SET(page->events, page->events + 1);
	FREQPAGE_SET(page->late_usec, page->late_usec + late_usec);
	if (late_usec > page->late_max_usec)
		FREQPAGE_SET(page->late_max_usec, late_usec);
	FREQPAGE_SET(page->late[bucket], page->late[bucket] + 1);
}

int feed_parse_stat(const char *text, uint32_t *ret_cpu)
{
	const char *at = strrchr(text, ')');
	uint64_t cpu;

	for (unsigned field = STAT_STATE; at && field <= STAT_PROCESSOR; field++)
		at = strchr(at + 1, ' ');
	if (!at || !read_u64((at++, &at), &cpu) || cpu > UINT32_MAX)
		return -EINVAL;
	*ret_cpu = (uint32_t)cpu;
	return 0;
}
