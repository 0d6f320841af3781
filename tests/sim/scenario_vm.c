/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/scenario_vm.h"

#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

/* What stands in the line, before it is known how many VMs it is about. */
struct vm_text {
	struct scenario_vm vm;
	unsigned n_vcpus, count;
	const char *pins;
	struct text_range runs, silent;
	bool no_feedback, halt_poll_off;
};
#define FIELD(name) offsetof(struct vm_text, name)

static int read_pins(const struct text_line *line, unsigned at, void *object)
{
	((struct vm_text *)object)->pins = line->word[at];
	return 1;
}

static int read_agent(const struct text_line *line, unsigned at, void *object)
{
	static const char *const kinds[] = {[AGENT_NONE] = "none",
					    [AGENT_BPF] = "bpf",
					    [AGENT_PROC] = "proc",
					    [AGENT_LIAR] = "liar"};
	struct agent_config *agent = &((struct vm_text *)object)->vm.agent;
	uint64_t claim;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i], line->word[at]) == 0) {
			agent->kind = (enum agent_kind)i;
			if (i != AGENT_LIAR)
				return 1;
			if (at + 1 >= line->n_words ||
			    parse_percent1024(line->word[at + 1], &claim) < 0 ||
			    claim > CAPACITY_SCALE)
				return text_wrong(line,
						  "a liar claims a share, such as liar 100%%");
			agent->lie_util1024 = (uint16_t)claim;
			return 2;
		}
	return text_wrong(line, "there is no agent '%s'; take bpf, proc, none or liar SHARE",
			  line->word[at]);
}

static int read_goal(const struct text_line *line, unsigned at, void *object)
{
	static const char *const goals[] = {"balanced", "speed", "energy", "off"};

	for (unsigned i = 0; i < ARRAY_SIZE(goals); i++)
		if (strcmp(goals[i], line->word[at]) == 0) {
			((struct vm_text *)object)->vm.agent.goal = i;
			return 1;
		}
	return text_wrong(line, "there is no goal '%s'; take balanced, speed, energy or off",
			  line->word[at]);
}

/* "2s..4s" or "2s..end". */
static int read_span(const struct text_line *line, const char *word, struct text_range *ret)
{
	const char *dots = strstr(word, "..");
	char low[32];

	if (dots && strcmp(dots, "..end") == 0 && (size_t)(dots - word) < sizeof(low)) {
		memcpy(low, word, (size_t)(dots - word));
		low[dots - word] = '\0';
		ret->high = SIM_NEVER;
		if (text_nsec(low, &ret->low) == 0)
			return 1;
	}
	if (!dots || text_range(word, ret) < 0)
		return text_wrong(
			line, "'%s' isn't from when until when, such as 2s..4s or 2s..end", word);
	return 1;
}

static int read_runs(const struct text_line *line, unsigned at, void *object)
{
	return read_span(line, line->word[at], &((struct vm_text *)object)->runs);
}

static int read_silent(const struct text_line *line, unsigned at, void *object)
{
	return read_span(line, line->word[at], &((struct vm_text *)object)->silent);
}

static const struct text_key keys[] = {
	{"vcpus", TEXT_NUMBER, FIELD(n_vcpus), 1, SIM_CPUS_MAX, NULL},
	{"count", TEXT_NUMBER, FIELD(count), 1, SCENARIO_VMS_MAX, NULL},
	{"pins", TEXT_OWN, 0, 0, 0, read_pins},
	{"invariant", TEXT_FLAG, FIELD(vm.vm.invariant), 0, 0, NULL},
	{"counts", TEXT_FLAG, FIELD(vm.vm.counts), 0, 0, NULL},
	{"halt-poll", TEXT_NSEC, FIELD(vm.vm.halt_poll_nsec), 0, 0, NULL},
	{"exit", TEXT_NSEC, FIELD(vm.vm.exit_nsec), 0, 0, NULL},
	{"agent", TEXT_OWN, 0, 0, 0, read_agent},
	{"lie-period", TEXT_NSEC, FIELD(vm.agent.lie_period_nsec), 0, 0, NULL},
	{"goal", TEXT_OWN, 0, 0, 0, read_goal},
	{"weight", TEXT_NUMBER, FIELD(vm.agent.weight), 1, 10000, NULL},
	{"floor-max", TEXT_PART1024, FIELD(vm.agent.floor_max1024), 0, 0, NULL},
	{"no-feedback", TEXT_FLAG, FIELD(no_feedback), 0, 0, NULL},
	{"runs", TEXT_OWN, 0, 0, 0, read_runs},
	{"silent", TEXT_OWN, 0, 0, 0, read_silent},
};

/* -- pins -- */

static unsigned nth_cpu(uint64_t cpus, unsigned n)
{
	n %= (unsigned)__builtin_popcountll(cpus);
	for (unsigned cpu = 0;; cpu++)
		if (cpus & UINT64_C(1) << cpu && n-- == 0)
			return cpu;
}

/* "0/1/2-3", or one list for all. */
static int split_pins(const char *word, unsigned n, uint64_t *ret)
{
	char list[64];
	unsigned found = 0;

	for (const char *end; found < n; word = end + 1) {
		end = strchr(word, '/') ?: word + strlen(word);
		if ((size_t)(end - word) >= sizeof(list))
			return -EINVAL;
		memcpy(list, word, (size_t)(end - word));
		list[end - word] = '\0';
		if (text_cpus(list, &ret[found++]) < 0)
			return -EINVAL;
		if (*end == '\0')
			break;
		if (found == n)
			return -EINVAL;
	}
	if (found == 1)
		for (; found < n; found++)
			ret[found] = ret[0];
	return found == n ? 0 : -EINVAL;
}

int scenario_pins_parse(const struct text_line *line, const char *word, unsigned first, unsigned n,
			unsigned n_cpus, uint64_t *ret)
{
	uint64_t all = n_cpus >= 64 ? UINT64_MAX : (UINT64_C(1) << n_cpus) - 1, cpus = 0;
	bool each = strncmp(word, "each:", 5) == 0;
	int r = each ? text_cpus(word + 5, &cpus) : split_pins(word, n, ret);

	if (r < 0)
		return text_wrong(line,
				  "pins can't be '%s'; for %u vCPUs write a list for all, such as "
				  "0-3, one for each, such as 0/1/2-3, or each:0-3",
				  word, n);
	for (unsigned i = 0; i < n; i++) {
		if (each)
			ret[i] = UINT64_C(1) << nth_cpu(cpus, first + i);
		if (ret[i] & ~all)
			return text_wrong(line,
					  "pins '%s' name a CPU that isn't there; the host has %u",
					  word, n_cpus);
	}
	return 0;
}

/* -- VMs -- */

static int add_vm(const struct text_line *line, const struct vm_text *text, unsigned number,
		  const struct vm_family *family, struct scenario *scenario)
{
	struct scenario_vm *vm = &scenario->vms[scenario->n_vms];
	unsigned n_cpus = scenario->machine.kernel.n_cpus;
	char *name;
	int r;

	*vm = text->vm;
	vm->vm.n_vcpus = text->n_vcpus;
	for (unsigned i = 0; i < text->n_vcpus; i++)
		vm->vm.pin[i] = n_cpus >= 64 ? UINT64_MAX : (UINT64_C(1) << n_cpus) - 1;
	r = text->pins ? scenario_pins_parse(line, text->pins, number * text->n_vcpus,
					     text->n_vcpus, n_cpus, vm->vm.pin)
		       : 0;
	if (r < 0)
		return r;
	vm->start_nsec = text->runs.low;
	vm->stop_nsec = text->runs.high;
	vm->agent.silent_from_nsec = text->silent.low;
	vm->agent.silent_until_nsec = text->silent.high;
	vm->agent.feedback = !text->no_feedback;
	r = family->n > 1 ? asprintf(&name, "%s%u", family->name, number + 1)
			  : asprintf(&name, "%s", family->name);
	if (r < 0)
		return -ENOMEM;
	vm->vm.name = name;
	scenario->n_vms++;
	return 0;
}

static void set_defaults(struct vm_text *text)
{
	*text = (struct vm_text){
		.n_vcpus = 1,
		.count = 1,
		.runs = {0, SIM_NEVER},
		.silent = {SIM_NEVER, SIM_NEVER},
		.vm.vm = {.halt_poll_nsec = 200 * SIM_USEC, .exit_nsec = 3 * SIM_USEC},
		.vm.agent = {.kind = AGENT_BPF, .floor_max1024 = CAPACITY_SCALE, .weight = 100},
	};
	kernel_config_init(&text->vm.vm.kernel);
}

int scenario_vm_parse(const struct text_line *line, unsigned at, struct scenario *scenario,
		      struct vm_family *ret)
{
	struct vm_text text;
	struct scenario_vm *vms;
	int r;

	set_defaults(&text);
	if (scenario->machine.kernel.n_cpus == 0)
		return text_wrong(line, "a VM before its host; put the line 'host SHAPE' first");
	if (at >= line->n_words || strlen(line->word[at]) >= sizeof(ret->name) ||
	    strcmp(line->word[at], "host") == 0)
		return text_wrong(line,
				  "a VM needs a name of at most %zu letters, which isn't host",
				  sizeof(ret->name) - 1);
	strcpy(ret->name, line->word[at]);
	r = text_keys(line, at + 1, keys, ARRAY_SIZE(keys), &text, "vm");
	if (r < 0)
		return r;
	if (text.vm.vm.counts && !text.vm.vm.invariant)
		return text_wrong(line, "counts goes with invariant: write that, too");
	if (scenario->n_vms + text.count > SCENARIO_VMS_MAX)
		return text_wrong(line, "more than %u VMs", SCENARIO_VMS_MAX);
	vms = reallocarray(scenario->vms, scenario->n_vms + text.count, sizeof(*vms));
	if (!vms)
		return -ENOMEM;
	scenario->vms = vms;
	ret->first = scenario->n_vms;
	ret->n = text.count;
	for (unsigned i = 0; i < text.count && r >= 0; i++)
		r = add_vm(line, &text, i, ret, scenario);
	return r;
}

void scenario_vms_free(struct scenario *scenario)
{
	for (unsigned i = 0; i < scenario->n_vms; i++)
		free((char *)(uintptr_t)scenario->vms[i].vm.name);
	free(scenario->vms);
}
