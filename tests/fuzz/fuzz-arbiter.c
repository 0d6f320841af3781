/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy over a whole host, driven by bytes: domains come and go and get other grants, guests
 * report what they like, threads move, other load comes and goes, settings change, time passes. Its
 * owner does what hostd does: asks again for what was told, queued or due. Whatever happens: floors
 * keep to their limits, all own floors to the budget, ceilings aren't below floors, sums and lists
 * are what their parts say, the queue ends, what was said last is still enough, and deadlines lie
 * ahead. */
#include "hostd/arbiter_private.h"
#include "tests/fuzz/fuzz.h"

#define DOMAINS	  6U
#define VCPUS_MAX 4U
#define CPUS	  8U
#define ASKS_MAX  500U /* at one time, of all */

struct vcpu {
	struct arbiter_want want; /* as last said */
	uint64_t next_usec;
	uint64_t run_nsec;
};

struct domain {
	bool used;
	uint32_t number;
	unsigned n_vcpus;
	struct arbiter_grant grant;
	struct vcpu vcpus[VCPUS_MAX];
};

static struct arbiter *arbiter;
static struct arbiter_config config;
static struct domain domains[DOMAINS];
static uint64_t now_usec;

static void read_config(struct input *input)
{
	uint8_t small = take_u8(input), flags = take_u8(input);

	config = (struct arbiter_config){
		.level = {.step = (uint16_t)(take_u8(input) % 129),
			  .hold_usec = take_u8(input) * 1000U,
			  .half_life_usec = take_u8(input) * 500U,
			  .slack1024 = take_u8(input),
			  .calm_usec = take_u8(input) * 500U,
			  .forget_usec = take_u8(input) * 4000U},
		.budget1024 = take_u8(input) * 32U,
		.ceiling_min1024 = take_u8(input) * 4U,
		.ceilings = flags & 1,
		.invariant = !(flags & 32),
		.energy_aware = flags & 2,
		.classes = {.n_classes = flags >> 2 & 3,
			    .classes = {{{{small}}, 300},
					{{{255 & ~small}}, 700},
					{{{255}}, 1024}}},
		.kernel_major = 6,
		.kernel_minor = flags & 16 ? 8 : 1,
	};
	/* Not nothing: then it falls with each call. */
}

static struct arbiter_grant read_grant(struct input *input)
{
	return (struct arbiter_grant){.floor_max1024 = (uint16_t)(take_u16(input) % 1025),
				      .weight = 1 + take_u16(input) % 10000,
				      .goal = (enum goal)(take_u8(input) % 4)};
}

static void ask(struct domain *domain, unsigned k)
{
	struct vcpu *vcpu = &domain->vcpus[k];
	struct arbiter_want *want = &vcpu->want;

	arbiter_want(arbiter, domain->number, k, now_usec, want, &vcpu->next_usec);
	REQUIRE(vcpu->next_usec > now_usec);
	REQUIRE(want->level1024 <= 1024 && want->floor1024 <= domain->grant.floor_max1024);
	REQUIRE(want->ceiling1024 <= LEVEL_NO_CEILING && want->ceiling1024 >= want->floor1024);
	REQUIRE(want->ceiling1024 == LEVEL_NO_CEILING ||
		(config.ceilings && config.invariant &&
		 want->ceiling1024 >= config.ceiling_min1024 && !want->shares));
	/* A budget may leave a part of a step where it leaves nothing of a level. */
	REQUIRE(want->level1024 > 0 || want->floor1024 == 0 || config.budget1024 > 0);
}

static struct domain *by_number(uint32_t number)
{
	for (unsigned i = 0; i < DOMAINS; i++)
		if (domains[i].used && domains[i].number == number)
			return &domains[i];
	return NULL;
}

/* As hostd does once something has happened: until nobody is queued. */
static void drain(void)
{
	uint32_t number;
	unsigned asks = 0;

	while ((number = arbiter_next(arbiter)) != ARBITER_NONE) {
		struct domain *domain = by_number(number);

		REQUIRE(domain);
		for (unsigned k = 0; k < domain->n_vcpus; k++, asks++)
			ask(domain, k);
		REQUIRE(asks < ASKS_MAX);
	}
}

static void ask_all(struct domain *domain)
{
	for (unsigned k = 0; k < domain->n_vcpus; k++)
		ask(domain, k);
}

static void check_cpus(void)
{
	for (unsigned i = 0; i < CPUS; i++) {
		const struct arbiter_cpu *cpu = &arbiter->cpus[i];
		const struct arbiter_vcpu *previous = NULL;
		uint32_t sum = 0;
		unsigned n = 0;

		for (const struct arbiter_vcpu *v = cpu->vcpus; v; previous = v, v = v->next) {
			REQUIRE(v->cpu == i && v->previous == previous);
			sum += v->part1024;
			n += v->part1024 > 0;
		}
		REQUIRE(cpu->sum1024 == sum && cpu->n_demanding == n);
		REQUIRE(arbiter_uses(arbiter, i) == (n > 0));
		REQUIRE(cpu->level.level1024 <= 1024 && cpu->other1024 <= 1024);
	}
}

/* Own floors, and those of vCPUs that are alone: the floor is the own one there. */
static void check_budget(void)
{
	uint64_t wants = 0, gets = 0, sum = 0, held = 0;

	for (unsigned i = 0; i < DOMAINS; i++) {
		const struct domain *domain = &domains[i];
		const struct arbiter_domain *real;
		uint32_t own = 0;

		if (!domain->used)
			continue;
		real = &arbiter->domains[domain->number];
		for (unsigned k = 0; k < domain->n_vcpus; k++) {
			const struct arbiter_vcpu *v = &real->vcpus[k];
			const struct arbiter_cpu *cpu =
				v->cpu < CPUMASK_CPUS ? &arbiter->cpus[v->cpu] : NULL;

			own += v->own1024;
			held += v->held1024;
			if (!cpu || (cpu->vcpus == v && !v->next && cpu->other1024 == 0))
				sum += domain->vcpus[k].want.floor1024;
		}
		REQUIRE(real->wants == own && real->gets <= real->wants);
		wants += real->wants;
		gets += real->gets;
	}
	REQUIRE(arbiter->wants == wants && arbiter->gets == gets && arbiter->held == held);
	REQUIRE(config.budget1024 > 0 || gets == wants);
	REQUIRE(config.budget1024 == 0 || (gets <= config.budget1024 && sum <= config.budget1024));
}

/* What each was told is enough still, and asking again changes nothing of note: nobody was
 * forgotten. */
static void check_told(void)
{
	/* What the budget cuts isn't in steps, and others' needs are told by steps. */
	unsigned less = config.budget1024 > 0 ? config.level.step : 0;

	for (unsigned i = 0; i < DOMAINS; i++)
		for (unsigned k = 0; domains[i].used && k < domains[i].n_vcpus; k++) {
			struct vcpu *vcpu = &domains[i].vcpus[k];
			const struct arbiter_want told = vcpu->want;
			uint64_t next_usec = vcpu->next_usec;
			struct arbiter_want again;

			ask(&domains[i], k);
			REQUIRE(told.floor1024 + less >= vcpu->want.floor1024);
			REQUIRE(told.floor1024 <=
				vcpu->want.floor1024 + 2 * config.level.step + 2U);
			REQUIRE(told.ceiling1024 >= vcpu->want.ceiling1024);
			REQUIRE(told.level1024 == vcpu->want.level1024);
			REQUIRE(told.shares == vcpu->want.shares || told.level1024 == 0);
			REQUIRE(vcpu->next_usec >= next_usec || vcpu->next_usec > now_usec);
			again = vcpu->want;
			ask(&domains[i], k);
			REQUIRE(again.level1024 == vcpu->want.level1024 &&
				again.floor1024 == vcpu->want.floor1024 &&
				again.ceiling1024 == vcpu->want.ceiling1024 &&
				again.shares == vcpu->want.shares);
			REQUIRE(arbiter_next(arbiter) == ARBITER_NONE);
		}
}

static void check(void)
{
	drain();
	check_cpus();
	check_budget();
	check_told();
	check_cpus();
	check_budget();
}

static void remove_domain(struct domain *domain)
{
	if (domain->used)
		arbiter_remove(arbiter, domain->number, now_usec);
	domain->used = false;
}

static void add_domain(struct input *input, struct domain *domain)
{
	remove_domain(domain);
	*domain = (struct domain){.used = true,
				  .n_vcpus = take_u8(input) % (VCPUS_MAX + 1),
				  .grant = read_grant(input)};
	domain->number = arbiter_add(arbiter, domain->n_vcpus, &domain->grant);
	REQUIRE(domain->number != ARBITER_NONE);
	for (unsigned i = 0; i < DOMAINS; i++)
		REQUIRE(&domains[i] == domain || !domains[i].used ||
			domains[i].number != domain->number);
	for (unsigned k = 0; k < domain->n_vcpus; k++) {
		const struct cpumask allowed = {{take_u8(input)}};

		arbiter_set_allowed(arbiter, domain->number, k, &allowed, now_usec);
	}
	ask_all(domain);
}

static void report(struct input *input, struct domain *domain, unsigned k)
{
	uint8_t flags = take_u8(input);
	uint16_t util_avg = (uint16_t)(take_u16(input) % 1025);
	uint16_t util_est = (uint16_t)(take_u16(input) % 1025);
	struct arbiter_report said = {.util_avg = util_avg,
				      .applied1024 = flags & 8 ? 1024 : 1 + take_u8(input) * 4U,
				      .steal_usec = flags & 16 ? take_u16(input) : 0,
				      .saturated = flags & 1,
				      .left = flags & 2,
				      .came = flags & 64,
				      .trusted = flags & 4};

	said.demand1024 = MAX(util_avg, util_est);
	if (flags & 128)
		said = (struct arbiter_report){.applied1024 = 1024};
	arbiter_report(arbiter, domain->number, k, &said, now_usec);
	ask(domain, k);
	/* Of what has left nothing is held. */
	if (said.left) {
		const struct arbiter_vcpu *v = &arbiter->domains[domain->number].vcpus[k];

		REQUIRE(v->level.level1024 == v->demand1024);
	}
}

static void look(struct input *input, struct domain *domain, unsigned k)
{
	struct vcpu *vcpu = &domain->vcpus[k];
	unsigned cpu = take_u8(input) % (CPUS + 1);

	vcpu->run_nsec += (uint64_t)take_u16(input) << 10;
	arbiter_look(arbiter, domain->number, k, cpu == CPUS ? CPUMASK_CPUS : cpu,
		     &(struct scale_look){.now_nsec = now_usec * NSEC_PER_USEC,
					  .run_nsec = vcpu->run_nsec,
					  .delivered1024 = (uint16_t)(take_u16(input) % 1025)});
	ask(domain, k);
}

/* The timers of all, in their order. What is due changes or is due later, so this ends. */
static void pass_time(struct input *input)
{
	uint64_t until_usec = now_usec + ((uint64_t)take_u8(input) << take_u8(input) % 16);
	unsigned wakes = 0;

	while (now_usec < until_usec) {
		uint64_t next_usec = until_usec;

		for (unsigned i = 0; i < DOMAINS; i++)
			for (unsigned k = 0; domains[i].used && k < domains[i].n_vcpus; k++)
				next_usec = MIN(next_usec, domains[i].vcpus[k].next_usec);
		REQUIRE(next_usec > now_usec && wakes++ < 10000);
		now_usec = next_usec;
		for (unsigned i = 0; i < DOMAINS; i++)
			for (unsigned k = 0; domains[i].used && k < domains[i].n_vcpus; k++)
				if (domains[i].vcpus[k].next_usec <= now_usec)
					ask(&domains[i], k);
		check();
	}
}

static void configure(struct input *input)
{
	unsigned minor = config.kernel_minor;

	read_config(input);
	config.kernel_minor = minor;
	arbiter_configure(arbiter, &config);
}

static void step_vcpu(struct input *input, unsigned op, struct domain *domain, unsigned k)
{
	switch (op) {
	case 0:
	case 1:
	case 2:
		report(input, domain, k);
		break;
	case 3:
		look(input, domain, k);
		break;
	case 4: {
		const struct cpumask allowed = {{take_u8(input)}};

		arbiter_set_allowed(arbiter, domain->number, k, &allowed, now_usec);
		break;
	}
	case 5:
		arbiter_restart(arbiter, domain->number, k, now_usec);
		ask(domain, k);
		break;
	default:
		domain->vcpus[k].run_nsec += (uint64_t)take_u16(input) << 14;
		arbiter_check(arbiter, domain->number, k, domain->vcpus[k].run_nsec, now_usec);
	}
}

static void step(struct input *input)
{
	uint8_t op = take_u8(input), which = take_u8(input);
	struct domain *domain = &domains[which % DOMAINS];

	switch (op % 16) {
	case 0:
		add_domain(input, domain);
		break;
	case 1:
		remove_domain(domain);
		break;
	case 2:
		configure(input);
		break;
	case 3:
		arbiter_other(arbiter, which % CPUS, (uint16_t)take_u16(input), now_usec);
		break;
	case 4:
		if (!domain->used)
			break;
		domain->grant = read_grant(input);
		arbiter_grant(arbiter, domain->number, &domain->grant, now_usec);
		break;
	case 5:
		if (!domain->used)
			break;
		arbiter_look_floor(arbiter, domain->number, 0, which % CPUS, (uint16_t)(take_u16(input) % 1025),
				   take_u8(input) * 20000U, take_u8(input) * 20000U, 3000000);
		break;
	case 6:
	case 7:
	case 8:
		pass_time(input);
		break;
	default:
		if (domain->used && domain->n_vcpus > 0)
			step_vcpu(input, op % 16 - 9U, domain, which / DOMAINS % domain->n_vcpus);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};

	now_usec = USEC_PER_SEC;
	read_config(&input);
	arbiter = arbiter_new(&config);
	REQUIRE(arbiter);
	for (unsigned i = 0; i < CPUS; i++)
		arbiter_set_capacity(arbiter, i, (uint16_t)(1 + take_u8(&input) * 4U));
	while (input.size > 0) {
		step(&input);
		check();
	}
	for (unsigned i = 0; i < DOMAINS; i++)
		remove_domain(&domains[i]);
	arbiter = arbiter_free(arbiter);
	return 0;
}
