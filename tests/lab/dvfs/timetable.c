/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/timetable.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define NUMBER_MAX UINT64_C(1000000000000) /* 11 days in us: sums of a few don't overflow */

/* One line, and what was wrong with it. */
struct line {
	const char *at, *end;
	const char *why;
};

static bool wrong(struct line *line, const char *why)
{
	line->why = why;
	return false;
}

static void skip_space(struct line *line)
{
	while (line->at < line->end && (*line->at == ' ' || *line->at == '\t'))
		line->at++;
}

static bool read_word(struct line *line, const char **ret, size_t *ret_length)
{
	skip_space(line);
	*ret = line->at;
	while (line->at < line->end && *line->at != ' ' && *line->at != '\t')
		line->at++;
	*ret_length = (size_t)(line->at - *ret);
	return *ret_length > 0 || wrong(line, "a word is missing");
}

static bool read_number(struct line *line, uint64_t max, uint64_t *ret)
{
	const char *word;
	uint64_t value = 0;
	size_t length;

	if (!read_word(line, &word, &length))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (word[i] < '0' || word[i] > '9')
			return wrong(line, "not a number");
		value = value * 10 + (uint64_t)(word[i] - '0');
		if (value > max)
			return wrong(line, "a number is too large");
	}
	*ret = value;
	return true;
}

static bool read_u32(struct line *line, uint32_t max, uint32_t *ret)
{
	uint64_t value;

	if (!read_number(line, max, &value))
		return false;
	*ret = (uint32_t)value;
	return true;
}

static bool read_task(struct line *line, const struct timetable *t, uint32_t *ret)
{
	return read_u32(line, TIMETABLE_TASKS - 1, ret) &&
	       (*ret < t->n_tasks || wrong(line, "there is no such task"));
}

/* The slot of an id: where it is, or where it would go. */
static uint32_t *find_id(struct timetable *t, uint32_t id)
{
	uint32_t slot = id * UINT32_C(2654435761) % TIMETABLE_IDS;

	while (t->by_id[slot] != TIMETABLE_NONE && t->burst[t->by_id[slot]].id != id)
		slot = (slot + 1) % TIMETABLE_IDS;
	return &t->by_id[slot];
}

static bool parse_cpus(struct timetable *t, struct line *line)
{
	return read_u32(line, TIMETABLE_CPUS, &t->n_cpus) &&
	       (t->n_cpus > 0 || wrong(line, "no CPUs"));
}

static bool parse_pin(struct timetable *t, struct line *line)
{
	uint32_t cpu, host_cpu;

	if (!read_u32(line, TIMETABLE_CPUS - 1, &cpu) ||
	    !read_u32(line, TIMETABLE_CPUS - 1, &host_cpu))
		return false;
	if (cpu >= t->n_cpus)
		return wrong(line, "there is no such CPU");
	t->host_cpu[cpu] = host_cpu;
	return true;
}

static bool parse_length(struct timetable *t, struct line *line)
{
	return read_number(line, NUMBER_MAX, &t->length_usec);
}

static bool parse_task(struct timetable *t, struct line *line)
{
	struct timetable_task *task = &t->task[t->n_tasks];
	const char *word;
	uint32_t number;
	size_t length;

	if (t->n_tasks == TIMETABLE_TASKS)
		return wrong(line, "too many tasks");
	if (!read_u32(line, TIMETABLE_TASKS - 1, &number) || !read_word(line, &word, &length))
		return false;
	if (number != t->n_tasks)
		return wrong(line, "tasks are numbered 0, 1, ...");
	if (length >= TIMETABLE_NAME)
		return wrong(line, "the name is too long");
	memset(task, 0, sizeof(*task));
	memcpy(task->name, word, length);
	task->place = task->last_place = task->burst = task->last_burst = TIMETABLE_NONE;
	t->n_tasks++;
	return true;
}

static bool parse_place(struct timetable *t, struct line *line)
{
	struct timetable_place *place = &t->place[t->n_places];
	struct timetable_task *task;

	if (t->n_places == TIMETABLE_PLACES)
		return wrong(line, "too many places");
	*place = (struct timetable_place){.next = TIMETABLE_NONE};
	if (!read_number(line, NUMBER_MAX, &place->at_usec) || !read_task(line, t, &place->task) ||
	    !read_u32(line, TIMETABLE_CPUS - 1, &place->cpu))
		return false;
	task = &t->task[place->task];
	if (place->cpu >= t->n_cpus)
		return wrong(line, "there is no such CPU");
	if (task->place == TIMETABLE_NONE && place->at_usec != 0)
		return wrong(line, "a task's first place is at 0");
	if (t->n_places > 0 && place->at_usec < place[-1].at_usec)
		return wrong(line, "places are sorted by time");
	*(task->place == TIMETABLE_NONE ? &task->place : &t->place[task->last_place].next) =
		t->n_places;
	task->last_place = t->n_places++;
	return true;
}

/* What burst and chain have in common: all but the first words. */
static bool parse_rest(struct timetable *t, struct line *line, struct timetable_burst *burst)
{
	uint32_t *slot;

	if (!read_task(line, t, &burst->task) ||
	    !read_u32(line, UINT32_MAX - 1, &burst->work_usec) ||
	    !read_u32(line, UINT32_MAX - 1, &burst->deadline_usec))
		return false;
	if (burst->work_usec == 0)
		return wrong(line, "a burst without work");
	slot = find_id(t, burst->id);
	if (*slot != TIMETABLE_NONE)
		return wrong(line, "an id that is there already");
	*slot = t->n_bursts++;
	return true;
}

static struct timetable_burst *new_burst(struct timetable *t, struct line *line)
{
	struct timetable_burst *burst = &t->burst[t->n_bursts];

	if (t->n_bursts == TIMETABLE_BURSTS) {
		wrong(line, "too many bursts");
		return NULL;
	}
	*burst = (struct timetable_burst){.after = TIMETABLE_NONE,
					  .next = TIMETABLE_NONE,
					  .chain = TIMETABLE_NONE,
					  .chain_next = TIMETABLE_NONE};
	return burst;
}

static bool parse_burst(struct timetable *t, struct line *line)
{
	struct timetable_burst *burst = new_burst(t, line);
	struct timetable_task *task;
	uint32_t index = t->n_bursts;

	if (!burst || !read_u32(line, UINT32_MAX - 1, &burst->id) ||
	    !read_number(line, NUMBER_MAX, &burst->at_usec) || !parse_rest(t, line, burst))
		return false;
	task = &t->task[burst->task];
	if (task->burst != TIMETABLE_NONE && burst->at_usec < t->burst[task->last_burst].at_usec)
		return wrong(line, "bursts are sorted by time");
	*(task->burst == TIMETABLE_NONE ? &task->burst : &t->burst[task->last_burst].next) = index;
	task->last_burst = index;
	return true;
}

static bool parse_chain(struct timetable *t, struct line *line)
{
	struct timetable_burst *burst = new_burst(t, line);
	uint32_t after, *last;

	if (!burst || !read_u32(line, UINT32_MAX - 1, &burst->id) ||
	    !read_u32(line, UINT32_MAX - 1, &after) ||
	    !read_number(line, NUMBER_MAX, &burst->at_usec))
		return false;
	burst->after = *find_id(t, after);
	if (burst->after == TIMETABLE_NONE)
		return wrong(line, "what it waits for must stand before it");
	if (!parse_rest(t, line, burst))
		return false;
	last = &t->burst[burst->after].chain;
	while (*last != TIMETABLE_NONE)
		last = &t->burst[*last].chain_next;
	*last = t->n_bursts - 1;
	return true;
}

static bool is_word(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(word, name, length) == 0;
}

static bool parse_line(struct timetable *t, struct line *line)
{
	static const struct {
		const char *name;
		bool (*parse)(struct timetable *, struct line *);
	} lines[] = {{"cpus", parse_cpus},  {"pin", parse_pin},	    {"length", parse_length},
		     {"task", parse_task},  {"place", parse_place}, {"burst", parse_burst},
		     {"chain", parse_chain}};
	const char *word;
	size_t length;

	skip_space(line);
	if (line->at == line->end || *line->at == '#')
		return true;
	if (!read_word(line, &word, &length))
		return false;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!is_word(word, length, lines[i].name))
			continue;
		if (!lines[i].parse(t, line))
			return false;
		skip_space(line);
		return line->at == line->end || wrong(line, "more words than it takes");
	}
	return wrong(line, "no such line");
}

static const char *what_is_missing(const struct timetable *t)
{
	if (t->n_cpus == 0)
		return "no line cpus";
	if (t->length_usec == 0)
		return "no line length";
	for (uint32_t i = 0; i < t->n_tasks; i++)
		if (t->task[i].place == TIMETABLE_NONE)
			return "a task without a place";
	for (uint32_t i = 0; i < t->n_bursts; i++)
		if (t->burst[i].after == TIMETABLE_NONE && t->burst[i].at_usec >= t->length_usec)
			return "a burst at the end or after it";
	return t->n_bursts == 0 ? "no bursts" : NULL;
}

int timetable_parse(const char *text, struct timetable *ret, unsigned *ret_line,
		    const char **ret_why)
{
	struct line line = {};
	unsigned number = 0;

	ret->length_usec = 0;
	ret->n_cpus = ret->n_tasks = ret->n_places = ret->n_bursts = 0;
	for (uint32_t i = 0; i < TIMETABLE_CPUS; i++)
		ret->host_cpu[i] = i;
	memset(ret->by_id, 0xff, sizeof(ret->by_id));
	while (*text != '\0') {
		const char *end = strchr(text, '\n') ?: text + strlen(text);

		line = (struct line){.at = text, .end = end};
		number++;
		if (!parse_line(ret, &line))
			break;
		text = end + (*end == '\n');
	}
	if (!line.why && (line.why = what_is_missing(ret)))
		number = 0;
	if (!line.why)
		return 0;
	*ret_line = number;
	*ret_why = line.why;
	return strncmp(line.why, "too many", 8) == 0 ? -E2BIG : -EINVAL;
}
