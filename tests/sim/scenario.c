/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/scenario.h"

#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "tests/sim/bound.h"
#include "tests/sim/load.h"
#include "tests/sim/scenario_vm.h"
#include "tests/sim/step.h"
#include "tests/sim/text.h"

#define SHAPES                                                                                     \
	"separate, shared, biglittle, lab-separate, lab-shared, lab-biglittle, server16, "         \
	"hybrid8, phone8, old61"

struct reader {
	struct text_line line;
	struct scenario *scenario;
	struct vm_family *families;
	unsigned n_families;
	uint64_t halt_poll_nsec; /* of the host's line, SIM_NEVER: not said */
};

static int grow(void **array, unsigned n, size_t size)
{
	void *grown = reallocarray(*array, n + 1, size);

	if (!grown)
		return -ENOMEM;
	*array = grown;
	memset((char *)grown + n * size, 0, size);
	return 0;
}

static const struct vm_family *find_family(const struct reader *reader, const char *name)
{
	for (unsigned i = 0; i < reader->n_families; i++)
		if (strcmp(reader->families[i].name, name) == 0)
			return &reader->families[i];
	return NULL;
}

static int need_vm(const struct reader *reader, unsigned at, const struct vm_family **ret)
{
	const char *name = at < reader->line.n_words ? reader->line.word[at] : "";

	*ret = find_family(reader, name);
	if (!*ret)
		return text_wrong(&reader->line,
				  "there is no VM '%s'; its line must stand before this", name);
	return 0;
}

static int need_nsec(const struct reader *reader, unsigned at, uint64_t *ret)
{
	const char *word = at < reader->line.n_words ? reader->line.word[at] : "";

	if (text_nsec(word, ret) < 0)
		return text_wrong(&reader->line, "'%s' is no time; write it with its unit, as 20ms",
				  word);
	return 0;
}

/* -- the simple lines -- */

static int parse_name(struct reader *reader)
{
	if (reader->line.n_words != 2 || strlen(reader->line.word[1]) >= SCENARIO_NAME_MAX)
		return text_wrong(&reader->line, "a name is one word of at most %u letters",
				  SCENARIO_NAME_MAX - 1);
	strcpy(reader->scenario->name, reader->line.word[1]);
	return 0;
}

/* More than one line of it is one text. */
static int parse_about(struct reader *reader)
{
	char *old = reader->scenario->about, *text = NULL;
	size_t length = old ? strlen(old) + 1 : 0;

	for (unsigned i = 1; i < reader->line.n_words; i++)
		length += strlen(reader->line.word[i]) + 1;
	text = malloc(length + 1);
	if (!text)
		return -ENOMEM;
	strcpy(text, old ? old : "");
	for (unsigned i = 1; i < reader->line.n_words; i++) {
		if (*text)
			strcat(text, " ");
		strcat(text, reader->line.word[i]);
	}
	free(old);
	reader->scenario->about = text;
	return 0;
}

static int parse_warm_up(struct reader *reader)
{
	return need_nsec(reader, 1, &reader->scenario->warm_nsec);
}

static int parse_length(struct reader *reader)
{
	return need_nsec(reader, 1, &reader->scenario->length_nsec);
}

static int parse_steady(struct reader *reader)
{
	struct text_range range;

	if (reader->line.n_words != 2 || text_range(reader->line.word[1], &range) < 0 ||
	    range.low == range.high)
		return text_wrong(&reader->line, "steady is from when until when, such as 1s..4s");
	reader->scenario->steady_from_nsec = range.low;
	reader->scenario->steady_until_nsec = range.high;
	return 0;
}

static int parse_budget(struct reader *reader)
{
	double share;

	if (reader->line.n_words != 2 || text_share(reader->line.word[1], &share) < 0 ||
	    share <= 0 || share > 64)
		return text_wrong(&reader->line,
				  "budget is a share of one largest CPU, such as 300%%");
	reader->scenario->budget1024_percent = (uint16_t)(share * 100 + 0.5);
	return 0;
}

/* -- host -- */

struct host_text {
	unsigned cpus;
	uint64_t latency_nsec, rate_limit_nsec, halt_poll_nsec;
	double budget_mw;
	unsigned version[2];
	bool performance;
};
#define HOST_FIELD(name) offsetof(struct host_text, name)

static const struct text_key host_keys[] = {
	{"cpus", TEXT_NUMBER, HOST_FIELD(cpus), 1, SIM_CPUS_MAX, NULL},
	{"latency", TEXT_NSEC, HOST_FIELD(latency_nsec), 0, 0, NULL},
	{"rate-limit", TEXT_NSEC, HOST_FIELD(rate_limit_nsec), 0, 0, NULL},
	{"halt-poll", TEXT_NSEC, HOST_FIELD(halt_poll_nsec), 0, 0, NULL},
	{"power", TEXT_MW, HOST_FIELD(budget_mw), 0, 0, NULL},
	{"kernel", TEXT_VERSION, HOST_FIELD(version), 0, 0, NULL},
	{"performance", TEXT_FLAG, HOST_FIELD(performance), 0, 0, NULL},
};

/* Those behind the first n don't exist; a domain with none of the others goes, too. */
static void cut_cpus(struct machine_config *machine, unsigned n)
{
	unsigned n_domains = 0;

	machine->kernel.n_cpus = n;
	for (unsigned cpu = 0; cpu < n; cpu++)
		n_domains = MAX(n_domains, machine->kernel.domain[cpu] + 1);
	machine->n_domains = n_domains;
}

static void apply_host(const struct host_text *text, struct machine_config *machine)
{
	for (unsigned i = 0; i < machine->n_domains; i++) {
		struct freq_domain *domain = &machine->domain[i];

		if (text->latency_nsec != SIM_NEVER)
			domain->latency_nsec = text->latency_nsec;
		if (text->rate_limit_nsec != SIM_NEVER)
			domain->rate_limit_nsec = text->rate_limit_nsec;
	}
	if (text->budget_mw > 0)
		machine->budget_mw = text->budget_mw;
	if (text->version[0] > 0) {
		machine->release_major = text->version[0];
		machine->release_minor = text->version[1];
	}
	machine->performance = text->performance;
}

static int parse_host(struct reader *reader)
{
	struct machine_config *machine = &reader->scenario->machine;
	struct host_text text = {.latency_nsec = SIM_NEVER,
				 .rate_limit_nsec = SIM_NEVER,
				 .halt_poll_nsec = SIM_NEVER};
	int r;

	if (reader->line.n_words < 2 || !machine_shape(reader->line.word[1], machine))
		return text_wrong(&reader->line, "there is no host '%s'; take one of %s",
				  reader->line.n_words < 2 ? "" : reader->line.word[1], SHAPES);
	if (reader->scenario->n_vms > 0)
		return text_wrong(&reader->line, "the host stands before the VMs");
	r = text_keys(&reader->line, 2, host_keys, ARRAY_SIZE(host_keys), &text, "host");
	if (r < 0)
		return r;
	if (text.cpus > machine->kernel.n_cpus)
		return text_wrong(&reader->line,
				  "host %s has %u CPUs; cpus can only leave some out",
				  reader->line.word[1], machine->kernel.n_cpus);
	if (text.cpus > 0)
		cut_cpus(machine, text.cpus);
	apply_host(&text, machine);
	reader->halt_poll_nsec = text.halt_poll_nsec;
	return 0;
}

/* -- path -- */

static int read_stalls(const struct text_line *line, unsigned at, void *object)
{
	struct path_config *path = object;

	if (at + 1 >= line->n_words || text_share(line->word[at], &path->stall_share) < 0 ||
	    text_nsec(line->word[at + 1], &path->stall_nsec) < 0)
		return text_wrong(line,
				  "stalls are a share of the messages and their time, such as "
				  "stalls 1%% 20ms");
	return 2;
}

#define PATH_FIELD(name) offsetof(struct path_config, name)
static const struct text_key path_keys[] = {
	{"delay", TEXT_NSEC, PATH_FIELD(delay_nsec), 0, 0, NULL},
	{"jitter", TEXT_NSEC, PATH_FIELD(jitter_nsec), 0, 0, NULL},
	{"stalls", TEXT_OWN, 0, 0, 0, read_stalls},
	{"cuts", TEXT_NSEC, PATH_FIELD(cut_every_nsec), 1, 0, NULL},
};

static int parse_path(struct reader *reader)
{
	return text_keys(&reader->line, 1, path_keys, ARRAY_SIZE(path_keys),
			 &reader->scenario->path, "path");
}

/* -- VMs, loads, bounds -- */

static int parse_vm(struct reader *reader)
{
	struct scenario *scenario = reader->scenario;
	unsigned before = scenario->n_vms;
	struct vm_family *family;
	bool says_poll = false;
	int r = grow((void **)&reader->families, reader->n_families, sizeof(*reader->families));

	if (r < 0)
		return r;
	if (reader->line.n_words > 1 && find_family(reader, reader->line.word[1]))
		return text_wrong(&reader->line, "there are two VMs '%s'; give one another name",
				  reader->line.word[1]);
	family = &reader->families[reader->n_families];
	r = scenario_vm_parse(&reader->line, 1, scenario, family);
	if (r < 0)
		return r;
	reader->n_families++;
	for (unsigned i = 2; i < reader->line.n_words; i++)
		says_poll = says_poll || strcmp(reader->line.word[i], "halt-poll") == 0;
	for (unsigned i = before; i < scenario->n_vms; i++)
		if (!says_poll && reader->halt_poll_nsec != SIM_NEVER)
			scenario->vms[i].vm.halt_poll_nsec = reader->halt_poll_nsec;
	return 0;
}

/* "host", "host:0-3", or a VM. */
static int parse_target(struct reader *reader, unsigned at, struct scenario_load *load)
{
	const char *word = reader->line.word[at];
	unsigned n_cpus = reader->scenario->machine.kernel.n_cpus;
	const struct vm_family *family;
	int r;

	load->on_host = strcmp(word, "host") == 0 || strncmp(word, "host:", 5) == 0;
	if (load->on_host) {
		if (n_cpus == 0)
			return text_wrong(&reader->line, "put the line 'host SHAPE' first");
		load->cpus = n_cpus >= 64 ? UINT64_MAX : (UINT64_C(1) << n_cpus) - 1;
		if (word[4] == ':' &&
		    (text_cpus(word + 5, &load->cpus) < 0 || (n_cpus < 64 && load->cpus >> n_cpus)))
			return text_wrong(&reader->line,
					  "'%s' names no CPUs of the host, as host:0-3", word);
		return 0;
	}
	r = need_vm(reader, at, &family);
	if (r < 0)
		return r;
	load->first_vm = family->first;
	load->n_vms = family->n;
	return 0;
}

static int parse_load(struct reader *reader)
{
	struct scenario *scenario = reader->scenario;
	const struct text_line *line = &reader->line;
	struct scenario_load *load;
	int r;

	if (line->n_words < 5 || strcmp(line->word[2], "on") != 0)
		return text_wrong(line, "a load is 'load NAME on VM PROGRAM ...', or on host");
	if (strlen(line->word[1]) >= METRICS_NAME_MAX)
		return text_wrong(line, "a load's name has at most %u letters",
				  METRICS_NAME_MAX - 1);
	for (unsigned i = 0; i < scenario->n_loads; i++)
		if (strcmp(scenario->loads[i].name, line->word[1]) == 0)
			return text_wrong(line, "there are two loads '%s'; give one another name",
					  line->word[1]);
	r = grow((void **)&scenario->loads, scenario->n_loads, sizeof(*scenario->loads));
	if (r < 0)
		return r;
	load = &scenario->loads[scenario->n_loads++];
	strcpy(load->name, line->word[1]);
	r = parse_target(reader, 3, load);
	return r < 0 ? r : load_parse(line, 4, load);
}

static int parse_bound(struct reader *reader)
{
	struct scenario *scenario = reader->scenario;
	int r = grow((void **)&scenario->bounds, scenario->n_bounds, sizeof(*scenario->bounds));

	return r < 0 ? r : bound_parse(&reader->line, 1, &scenario->bounds[scenario->n_bounds++]);
}

/* -- what happens at a time -- */

static int read_on(const struct reader *reader, unsigned at, unsigned max,
		   struct scenario_step *step)
{
	const struct text_line *line = &reader->line;
	uint64_t value;

	if (line->n_words != at + 2 || parse_u64_max(line->word[at], max, &value) < 0 ||
	    (strcmp(line->word[at + 1], "on") != 0 && strcmp(line->word[at + 1], "off") != 0))
		return text_wrong(line, "it needs a number from 0 to %u, and on or off", max);
	step->cpu = (unsigned)value;
	step->on = strcmp(line->word[at + 1], "on") == 0;
	return 0;
}

/* The words behind "at TIME WHAT VM". */
static int parse_vm_step(struct reader *reader, struct scenario_step *step)
{
	const struct vm_family *family;
	const struct scenario_vm *vm;
	int r = need_vm(reader, 3, &family);

	if (r < 0)
		return r;
	step->first_vm = family->first;
	step->n_vms = family->n;
	vm = &reader->scenario->vms[family->first];
	if (step->kind == STEP_VCPU)
		return read_on(reader, 4, vm->vm.n_vcpus - 1, step);
	if (step->kind != STEP_PIN)
		return reader->line.n_words == 4
			       ? 0
			       : text_wrong(&reader->line, "there is more than 'at TIME %s VM'",
					    reader->line.word[2]);
	if (reader->line.n_words != 5)
		return text_wrong(&reader->line, "it is 'at TIME pin VM PINS'");
	return scenario_pins_parse(&reader->line, reader->line.word[4], 0, vm->vm.n_vcpus,
				   reader->scenario->machine.kernel.n_cpus, step->pin);
}

static int parse_at(struct reader *reader)
{
	static const char *const kinds[] = {[STEP_PAUSE] = "pause",
					    [STEP_RESUME] = "resume",
					    [STEP_VCPU] = "vcpu",
					    [STEP_PIN] = "pin",
					    [STEP_CPU] = "cpu"};
	struct scenario *scenario = reader->scenario;
	const char *what = reader->line.n_words > 3 ? reader->line.word[2] : "";
	struct scenario_step *step;
	int r = grow((void **)&scenario->steps, scenario->n_steps, sizeof(*scenario->steps));

	if (r < 0)
		return r;
	step = &scenario->steps[scenario->n_steps++];
	r = need_nsec(reader, 1, &step->at_nsec);
	for (unsigned i = 0; r >= 0 && i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i], what) == 0) {
			step->kind = (enum step_kind)i;
			return i == STEP_CPU ? read_on(reader, 3,
						       scenario->machine.kernel.n_cpus - 1, step)
					     : parse_vm_step(reader, step);
		}
	return r < 0 ? r
		     : text_wrong(&reader->line,
				  "nothing like '%s' happens; take pause VM, resume VM, "
				  "vcpu VM N on|off, pin VM PINS or cpu N on|off",
				  what);
}

/* -- the whole -- */

static int parse_line(struct reader *reader)
{
	static const struct {
		const char *name;
		int (*parse)(struct reader *);
	} lines[] = {
		{"name", parse_name},	  {"about", parse_about},   {"warm-up", parse_warm_up},
		{"length", parse_length}, {"steady", parse_steady}, {"budget", parse_budget},
		{"host", parse_host},	  {"path", parse_path},	    {"vm", parse_vm},
		{"load", parse_load},	  {"at", parse_at},	    {"bound", parse_bound},
	};

	if (reader->line.n_words == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (strcmp(lines[i].name, reader->line.word[0]) == 0)
			return lines[i].parse(reader);
	return text_wrong(&reader->line,
			  "there is no line '%s'; take name, about, warm-up, length, "
			  "steady, budget, host, path, vm, load, at or bound",
			  reader->line.word[0]);
}

static unsigned count_groups(const struct scenario *scenario)
{
	char names[METRICS_GROUPS_MAX][METRICS_NAME_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < scenario->n_loads; i++)
		n += load_groups(&scenario->loads[i], names);
	return n;
}

static int check_whole(const struct reader *reader)
{
	const struct scenario *scenario = reader->scenario;

	if (!*scenario->name || !scenario->about)
		return text_wrong(&reader->line, "the scenario has no %s; add that line",
				  *scenario->name ? "about" : "name");
	if (scenario->machine.kernel.n_cpus == 0)
		return text_wrong(&reader->line, "the scenario has no host; add 'host SHAPE'");
	if (scenario->length_nsec <= scenario->warm_nsec)
		return text_wrong(&reader->line, "length must be more than warm-up");
	if (count_groups(scenario) > METRICS_GROUPS_MAX)
		return text_wrong(&reader->line,
				  "more than %u loads, or kinds of tasks in timetables",
				  METRICS_GROUPS_MAX);
	for (unsigned i = 0; i < scenario->n_steps; i++)
		if (scenario->steps[i].at_nsec >= scenario->length_nsec)
			return text_wrong(&reader->line, "something happens after the end");
	return 0;
}

static int read_lines(struct reader *reader, FILE *file)
{
	_cleanup_free_ char *text = NULL;
	size_t room = 0;
	int r = 0;

	while (r >= 0 && getline(&text, &room, file) >= 0) {
		reader->line.number++;
		r = text_split(text, &reader->line);
		if (r == -E2BIG)
			r = text_wrong(&reader->line, "more than %u words", TEXT_WORDS_MAX);
		if (r < 0)
			break;
		r = parse_line(reader);
		free(reader->line.buffer);
	}
	return r < 0 ? r : check_whole(reader);
}

int scenario_read(const char *path, struct scenario **ret)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	struct reader reader = {.line.file = path, .halt_poll_nsec = SIM_NEVER};
	int r;

	if (!file) {
		r = -errno;
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
		return r;
	}
	reader.scenario = calloc(1, sizeof(*reader.scenario));
	if (!reader.scenario)
		return -ENOMEM;
	reader.scenario->warm_nsec = 500 * SIM_MSEC;
	reader.scenario->length_nsec = 8 * SIM_SEC;
	reader.scenario->steady_from_nsec = reader.scenario->steady_until_nsec = SIM_NEVER;
	reader.scenario->path.delay_nsec = 100 * SIM_USEC;
	r = read_lines(&reader, file);
	free(reader.families);
	if (r < 0) {
		scenario_free(reader.scenario);
		return r;
	}
	*ret = reader.scenario;
	return 0;
}

void scenario_free(struct scenario *scenario)
{
	if (!scenario)
		return;
	for (unsigned i = 0; i < scenario->n_loads; i++)
		free(scenario->loads[i].timetable);
	scenario_vms_free(scenario);
	free(scenario->about);
	free(scenario->loads);
	free(scenario->bounds);
	free(scenario->steps);
	free(scenario);
}
