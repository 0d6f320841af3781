/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "common/macro.h"
#include "tests/lab/dvfs/timetable.h"
#include "tests/sim/load.h"

#define FIELD(name) offsetof(struct scenario_load, name)
#define PERIOD_MIN  SIM_MSEC

static int read_timetable(const struct text_line *line, unsigned at, void *object);

#define KEYS_OF_ALL                                                                                \
	{"from", TEXT_NSEC, FIELD(from_nsec), 0, 0, NULL},                                         \
		{"until", TEXT_NSEC, FIELD(until_nsec), 0, 0, NULL},                               \
		{"neighbour", TEXT_FLAG, FIELD(neighbour), 0, 0, NULL},                            \
		{"background", TEXT_FLAG, FIELD(background), 0, 0, NULL},                          \
	{                                                                                          \
		"weight", TEXT_NUMBER, FIELD(weight), 3, 88761, NULL                               \
	}
#define KEYS_OF_PLACES                                                                             \
	{"placed", TEXT_FLAG, FIELD(placed), 0, 0, NULL},                                          \
		{"first-place", TEXT_NUMBER, FIELD(first_place), 0, SIM_CPUS_MAX - 1, NULL},       \
		{"hop", TEXT_RANGE, FIELD(hop), SIM_MSEC, 0, NULL},                                \
	{                                                                                          \
		"mix", TEXT_RANGE, FIELD(mix), SIM_MSEC, 0, NULL                                   \
	}
#define KEY_TASKS                                                                                  \
	{                                                                                          \
		"tasks", TEXT_NUMBER, FIELD(tasks), 1, 64, NULL                                    \
	}
#define KEY_WORK                                                                                   \
	{                                                                                          \
		"work", TEXT_AMOUNT, FIELD(work), 0, 0, NULL                                       \
	}
#define KEY_PERIOD                                                                                 \
	{                                                                                          \
		"period", TEXT_RANGE, FIELD(period), PERIOD_MIN, 0, NULL                           \
	}
#define KEY_DEADLINE                                                                               \
	{                                                                                          \
		"deadline", TEXT_NSEC_NONE, FIELD(deadline_nsec), 1, 0, NULL                       \
	}
#define KEY_DROP                                                                                   \
	{                                                                                          \
		"drop", TEXT_FLAG, FIELD(drop), 0, 0, NULL                                         \
	}
#define KEY_ROAM                                                                                   \
	{                                                                                          \
		"roam", TEXT_FLAG, FIELD(roam), 0, 0, NULL                                         \
	}
#define KEY_VARY                                                                                   \
	{                                                                                          \
		"vary", TEXT_SHARE, FIELD(vary), 0, 0, NULL                                        \
	}
#define KEY_EVERY                                                                                  \
	{                                                                                          \
		"every", TEXT_RANGE, FIELD(every), 100 * SIM_USEC, 0, NULL                         \
	}

static const struct text_key periodic_keys[] = {
	KEYS_OF_ALL,  KEYS_OF_PLACES,
	KEY_TASKS,    KEY_DROP,
	KEY_WORK,     KEY_PERIOD,
	KEY_DEADLINE, KEY_ROAM,
	KEY_VARY,     {"jitter", TEXT_NSEC, FIELD(jitter_nsec), 0, 0, NULL},
};
static const struct text_key wave_keys[] = {
	KEYS_OF_ALL,
	KEYS_OF_PLACES,
	KEY_TASKS,
	KEY_DROP,
	KEY_WORK,
	KEY_PERIOD,
	KEY_DEADLINE,
	KEY_VARY,
	KEY_EVERY,
	{"high", TEXT_AMOUNT, FIELD(high), 0, 0, NULL},
	{"ramp", TEXT_FLAG, FIELD(ramp), 0, 0, NULL},
};
static const struct text_key ui_keys[] = {
	KEYS_OF_ALL,
	KEYS_OF_PLACES,
	KEY_WORK,
	KEY_PERIOD,
	KEY_DEADLINE,
	{"workers", TEXT_NUMBER, FIELD(tasks), 1, 32, NULL},
	{"share", TEXT_RANGE, FIELD(share), 1, 0, NULL},
	{"join", TEXT_RANGE, FIELD(join), 1, 0, NULL},
	{"heavy", TEXT_SHARES, FIELD(heavy), 0, 0, NULL},
};
static const struct text_key storage_keys[] = {
	KEYS_OF_ALL,
	KEYS_OF_PLACES,
	KEY_WORK,
	KEY_PERIOD,
	KEY_DEADLINE,
	KEY_ROAM,
	{"requests", TEXT_NUMBER, FIELD(requests), 1, 1000, NULL},
	{"wait", TEXT_RANGE, FIELD(wait), 1, 0, NULL},
	{"ask", TEXT_RANGE, FIELD(ask), 1, 0, NULL},
};
static const struct text_key inference_keys[] = {
	KEYS_OF_ALL,
	KEYS_OF_PLACES,
	KEY_TASKS,
	KEY_WORK,
	KEY_PERIOD,
	KEY_DEADLINE,
	{"layers", TEXT_NUMBER, FIELD(layers), 1, 1000, NULL},
};
static const struct text_key hog_keys[] = {KEYS_OF_ALL, KEYS_OF_PLACES, KEY_TASKS};
static const struct text_key compile_keys[] = {
	KEYS_OF_ALL,
	KEYS_OF_PLACES,
	KEY_TASKS,
	KEY_WORK,
	{"wait", TEXT_RANGE, FIELD(wait), 1, 0, NULL},
};
static const struct text_key server_keys[] = {
	KEYS_OF_ALL, KEYS_OF_PLACES, KEY_TASKS, KEY_WORK, KEY_EVERY, KEY_DEADLINE,
};
static const struct text_key noise_keys[] = {KEYS_OF_ALL, KEY_WORK, KEY_EVERY};
static const struct text_key timetable_keys[] = {
	KEYS_OF_ALL,
	{"file", TEXT_OWN, 0, 0, 0, read_timetable},
};

/* What a program must be told, by bit of these. */
enum must {
	MUST_WORK = 1,
	MUST_PERIOD = 2,
	MUST_EVERY = 4,
	MUST_WAIT = 8,
	MUST_HIGH = 16,
	MUST_FILE = 32,
	MUST_SHARE = 64
};

static const struct program {
	const char *name;
	enum load_program program;
	const struct text_key *keys;
	size_t n_keys;
	unsigned must;
	bool shares; /* work may be a share of the period */
} programs[] = {
#define PROGRAM(name, program, keys, must, shares)                                                 \
	{                                                                                          \
		name, program, keys, ARRAY_SIZE(keys), must, shares                                \
	}
	PROGRAM("periodic", LOAD_PERIODIC, periodic_keys, MUST_WORK | MUST_PERIOD, true),
	PROGRAM("wave", LOAD_WAVE, wave_keys, MUST_WORK | MUST_PERIOD | MUST_EVERY | MUST_HIGH,
		true),
	PROGRAM("ui", LOAD_UI, ui_keys, MUST_WORK | MUST_PERIOD | MUST_SHARE, false),
	PROGRAM("storage", LOAD_STORAGE, storage_keys, MUST_WORK | MUST_PERIOD | MUST_WAIT, false),
	PROGRAM("inference", LOAD_INFERENCE, inference_keys, MUST_WORK | MUST_PERIOD, false),
	PROGRAM("hog", LOAD_HOG, hog_keys, 0, false),
	PROGRAM("compile", LOAD_COMPILE, compile_keys, MUST_WORK | MUST_WAIT, false),
	PROGRAM("server", LOAD_SERVER, server_keys, MUST_WORK | MUST_EVERY, false),
	PROGRAM("noise", LOAD_NOISE, noise_keys, MUST_WORK | MUST_EVERY, false),
	PROGRAM("timetable", LOAD_TIMETABLE, timetable_keys, MUST_FILE, false),
};

/* -- the timetable's file -- */

static int read_text(const char *path, char **ret)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t room = 0;

	if (!file)
		return -errno;
	if (getdelim(&text, &room, '\0', file) < 0)
		return ferror(file) ? -EIO : -EINVAL;
	*ret = TAKE_PTR(text);
	return 0;
}

/* A path that doesn't begin with / is below $VMFREQ_SIM_TIMETABLES, or the scenario's own
 * directory. */
static char *beside(const char *scenario, const char *name)
{
	const char *slash = strrchr(scenario, '/'), *dir = getenv("VMFREQ_SIM_TIMETABLES");
	char *path;
	int n;

	if (*name == '/')
		return strdup(name);
	if (dir)
		n = asprintf(&path, "%s/%s", dir, name);
	else
		n = asprintf(&path, "%.*s%s", slash ? (int)(slash + 1 - scenario) : 0, scenario,
			     name);
	return n < 0 ? NULL : path;
}

static int read_timetable(const struct text_line *line, unsigned at, void *object)
{
	struct scenario_load *load = object;
	_cleanup_free_ char *path = beside(line->file, line->word[at]), *text = NULL;
	struct timetable *table = malloc(sizeof(*table));
	const char *why;
	unsigned number;
	int r;

	load->timetable = table;
	if (!path || !table)
		return -ENOMEM;
	r = read_text(path, &text);
	if (r < 0) {
		text_wrong(line, "%s: %s; tests/bench/dvfs/timetable.py makes timetables", path,
			   strerror(-r));
		return r;
	}
	r = timetable_parse(text, table, &number, &why);
	if (r < 0) {
		text_wrong(line, "%s:%u: %s", path, number, why);
		return r;
	}
	return 1;
}

/* -- the line -- */

static const struct program *find_program(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (strcmp(programs[i].name, name) == 0)
			return &programs[i];
	return NULL;
}

static const char *what_is_missing(const struct program *program, const struct scenario_load *load)
{
	const struct {
		unsigned must;
		bool there;
		const char *name;
	} fields[] = {
		{MUST_WORK, load->work.high > 0, "work"},
		{MUST_PERIOD, load->period.low > 0, "period"},
		{MUST_EVERY, load->every.low > 0, "every"},
		{MUST_WAIT, load->wait.high > 0, "wait"},
		{MUST_HIGH, load->high.high > 0, "high"},
		{MUST_SHARE, load->share.high > 0 && load->join.high > 0, "share and join"},
		{MUST_FILE, load->timetable, "file"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (program->must & fields[i].must && !fields[i].there)
			return fields[i].name;
	return NULL;
}

static void set_defaults(const struct program *program, struct scenario_load *load)
{
	load->program = program->program;
	load->tasks = program->program == LOAD_UI ? 3 : program->program == LOAD_INFERENCE ? 4 : 1;
	load->requests = 16;
	load->layers = 8;
	load->ask = (struct text_range){200 * SIM_USEC, 200 * SIM_USEC};
	load->until_nsec = SIM_NEVER;
	load->background = program->program == LOAD_NOISE;
}

int load_parse(const struct text_line *line, unsigned at, struct scenario_load *load)
{
	const struct program *program = at < line->n_words ? find_program(line->word[at]) : NULL;
	const char *missing;
	int r;

	if (!program)
		return text_wrong(line,
				  "there is no program '%s'; take periodic, wave, ui, storage, "
				  "inference, hog, compile, server, noise or timetable",
				  at < line->n_words ? line->word[at] : "");
	set_defaults(program, load);
	r = text_keys(line, at + 1, program->keys, program->n_keys, load, program->name);
	if (r < 0)
		return r;
	missing = what_is_missing(program, load);
	if (missing)
		return text_wrong(line, "%s needs %s", program->name, missing);
	if (!program->shares && load->work.is_share)
		return text_wrong(line, "work of %s is a time, such as 2ms", program->name);
	if (load->vary >= 1)
		return text_wrong(line, "vary must be less than 100%%");
	return 0;
}
