/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's decisions together, driven by bytes: domains come, go and take over each other's CIDs,
 * guests connect and say what they like, time passes. Whatever they do: a report counts for the
 * domain alone whose CID sent it, no two of a guest's CPUs are one vCPU, no floor is above its
 * limit or outlives its lease, no ceiling is below its floor, no set of CPUs leaves the domain's
 * mask or is empty, no CPU's minimum frequency is above its limits or not above what was there
 * before, writes keep their distance, and every deadline lies ahead. */
#include "hostd/demand.h"
#include "hostd/freqplan.h"
#include "hostd/inventory.h"
#include "hostd/level.h"
#include "hostd/peer.h"
#include "hostd/placement.h"
#include "hostd/plan.h"
#include "tests/fuzz/fuzz.h"

#define DOMAINS	   4U
#define VCPUS_MAX  5U
#define LEASE_MAX  USEC_PER_SEC
#define INTERVAL   4000U
#define LOWER	   20000U
#define HALVES_MAX 11U /* from 1024 to 0 */

struct vcpu {
	struct level level;
	struct placement_state placement;
	struct plan_have have;
	bool asks;
	uint64_t quiet_usec; /* since when it doesn't */
	uint64_t written_usec;
};

struct guest {
	bool connected;
	uint32_t cid;
	struct inventory_domain start; /* of which domain; its vcpus are not used */
	struct peer peer;
	struct vcpu_identity identity;
	struct guest_demand demand;
	struct demand *demands; /* as many as it has vCPUs, so that ASan sees the next one */
	struct vcpu vcpus[VCPUS_MAX];
};

static const struct peer_config peer_config = {.hello_usec = 2 * USEC_PER_SEC,
					       .frame_usec = 2 * USEC_PER_SEC,
					       .idle_usec = 30 * USEC_PER_SEC,
					       .rate = 100,
					       .burst = 200};
static struct level_config levels;
static uint16_t floor_max;
static struct placement_config placement;
static struct freqplan_policy cpufreq; /* one for all vCPUs */
static const struct inventory_machine machines[DOMAINS] = {
	{},
	{.kind = MACHINE_X86},
	{.kind = MACHINE_X86, .sockets = 2, .dies = 1, .clusters = 1, .cores = 1, .threads = 3},
	{.kind = MACHINE_ARM_VIRT},
};
static struct inventory_domain domains[DOMAINS];
static struct inventory inventory = {DOMAINS, domains};
static struct guest guests[DOMAINS]; /* by index of the domain that they were bound to */
static struct message_hello hello;
static uint64_t now_usec;
static int next_id;

static void read_configs(struct input *input)
{
	uint32_t small = take_u8(input), medium = take_u8(input) & ~small;

	levels = (struct level_config){.headroom1024 = take_u8(input) % 2 ? 1280 : 1024};
	floor_max = (uint16_t)(take_u16(input) % 1025);
	levels.step = (uint16_t)(take_u16(input) % 513);
	levels.hold_usec = take_u16(input) * 10U;
	levels.half_life_usec = take_u16(input);
	placement = (struct placement_config){
		.n_classes = take_u8(input) % 4,
		.classes = {{{{small}}, 300},
			    {{{medium}}, 600},
			    {{{255 & ~small & ~medium}}, 1024}},
		.dwell_usec = take_u16(input) * 10U,
	};
}

/* From the last bytes, which are not taken away: what was found before keeps its meaning. */
static void read_cpufreq(const uint8_t *data, size_t size)
{
	size_t n = MIN(size, 32U);
	struct input tail = {data + size - n, n}, *input = &tail;

	cpufreq = (struct freqplan_policy){
		.max_khz = (uint32_t)take_u16(input) << take_u8(input) % 17,
		.capacity1024 = (uint16_t)(take_u16(input) % 1025),
		.limit_khz = (uint32_t)take_u16(input) << take_u8(input) % 17,
		.prior_khz = take_u16(input),
		.n_steps = take_u8(input) % 8,
	};
	for (unsigned i = 0; i < cpufreq.n_steps; i++)
		cpufreq.steps[i] = (uint32_t)take_u16(input) << 4;
	cpufreq.n_steps = freqplan_sort(cpufreq.steps, cpufreq.n_steps);
	for (unsigned i = 1; i < cpufreq.n_steps; i++)
		REQUIRE(cpufreq.steps[i - 1] < cpufreq.steps[i]);
}

static void disconnect(struct guest *guest)
{
	guest->connected = false;
	if (guest->demands)
		demand_forget(&guest->demand);
}

/* A domain starts anew: another id, perhaps another CID, and nothing of what was before. */
static void start_domain(struct input *input, unsigned i)
{
	struct guest *guest = &guests[i];

	free(guest->demands);
	*guest = (struct guest){};
	free(domains[i].vcpus);
	domains[i] = (struct inventory_domain){.uuid = {(uint8_t)i},
					       .id = next_id++,
					       .cid = take_u8(input) % 8,
					       .machine = machines[i],
					       .n_vcpus = 1 + take_u8(input) % VCPUS_MAX};
	domains[i].vcpus = calloc(domains[i].n_vcpus, sizeof(*domains[i].vcpus));
	guest->demands = calloc(domains[i].n_vcpus, sizeof(*guest->demands));
	REQUIRE(domains[i].vcpus && guest->demands);
	for (unsigned v = 0; v < domains[i].n_vcpus; v++)
		domains[i].vcpus[v].allowed.word[0] = take_u8(input);
	demand_init(&guest->demand, guest->demands, domains[i].n_vcpus);
}

static void connect_guest(struct input *input)
{
	uint32_t cid = take_u8(input) % 8, port = take_u16(input);
	const struct inventory_domain *domain = inventory_by_cid(&inventory, cid);
	const char *refusal = peer_refusal(&peer_config, cid, port, domain != NULL);
	struct guest *guest;
	unsigned owners = 0;

	for (unsigned i = 0; i < DOMAINS; i++)
		owners += domains[i].cid == cid;
	REQUIRE((refusal == NULL) == (cid >= 3 && owners == 1 && port < 1024));
	if (refusal)
		return;
	REQUIRE(domain->cid == cid);
	guest = &guests[domain - domains];
	disconnect(guest);
	guest->connected = true;
	guest->cid = cid;
	guest->start = *domain;
	peer_init(&guest->peer, &peer_config, now_usec);
}

/* hostd closes what was bound to a start that is over; whatever is left is of the right one. */
static void check_binding(const struct guest *guest, unsigned i)
{
	const struct inventory_domain *domain = inventory_find(&inventory, &guest->start);

	REQUIRE(domain == &domains[i]);
	REQUIRE(guest->demand.n_vcpus == domain->n_vcpus);
}

static void take_identity(struct guest *guest, unsigned i)
{
	const struct vcpu_identity *identity = &guest->identity;
	unsigned cpus = 0;

	vcpu_identity_map(&guest->identity, &domains[i].machine, domains[i].n_vcpus, &hello);
	guest->demand.identity = identity;
	for (unsigned cpu = 0; cpu < PROTO_CPUS_MAX; cpu++) {
		unsigned vcpu = identity->vcpu_of_cpu[cpu];

		if (vcpu == VCPU_IDENTITY_NONE)
			continue;
		cpus++;
		REQUIRE(vcpu < domains[i].n_vcpus && identity->cpu_of_vcpu[vcpu] == cpu);
	}
	for (unsigned vcpu = 0; vcpu < PROTO_CPUS_MAX; vcpu++)
		cpus -= identity->cpu_of_vcpu[vcpu] != VCPU_IDENTITY_NONE;
	REQUIRE(cpus == 0);
}

static void take_frame(struct guest *guest, unsigned i, const struct frame *frame)
{
	struct message message;
	const char *reason = NULL;
	bool greeted = guest->peer.greeted;
	int r;

	if (!guest->connected)
		return;
	check_binding(guest, i);
	r = peer_frame(&guest->peer, frame, now_usec, &hello, &message, &reason);
	if (r < 0) {
		REQUIRE(reason && (r == -EBADMSG || r == -EPROTONOSUPPORT));
		disconnect(guest);
		return;
	}
	REQUIRE(guest->peer.greeted && (message.type == MESSAGE_HELLO) == !greeted);
	REQUIRE(message.type != MESSAGE_FEEDBACK);
	if (message.type == MESSAGE_HELLO)
		take_identity(guest, i);
	if (message.type == MESSAGE_REPORT) {
		unsigned ignored =
			demand_report(&guest->demand, &message.report, LEASE_MAX, now_usec);

		REQUIRE(ignored <= message.report.n_vcpus);
		REQUIRE(guest->demand.lease_until_usec <= now_usec + LEASE_MAX);
		REQUIRE((guest->demand.lease_until_usec > 0) == demand_any(&guest->demand));
	}
	(void)peer_take_token(&guest->peer, &peer_config, now_usec);
}

static void take_any_frame(struct input *input, struct guest *guest, unsigned i)
{
	uint8_t type = take_u8(input) % 8;
	size_t wanted = take_u8(input), size = MIN(wanted, input->size);
	struct frame frame = {type, input->data, size};

	take_frame(guest, i, &frame);
	input->data += size;
	input->size -= size;
}

static void take_good_hello(struct input *input, struct guest *guest, unsigned i)
{
	static uint8_t bytes[FRAME_MAX];
	static struct message_hello out;
	int n;

	out = (struct message_hello){.minor = take_u8(input) % 3,
				     .fields = 0x7e,
				     .signal = SIGNAL_PROC,
				     .n_cpus = VCPUS_MAX};
	for (unsigned cpu = 0; cpu < VCPUS_MAX; cpu++)
		out.cpu[cpu] = (struct hello_cpu){cpu, cpu};
	n = hello_put(bytes, sizeof(bytes), &out);
	REQUIRE(n > 0);
	take_frame(guest, i,
		   &(struct frame){MESSAGE_HELLO, bytes + FRAME_HEADER, (size_t)n - FRAME_HEADER});
}

/* The upper bits of the two utilizations are the requests, at times. */
static void take_record(struct input *input, unsigned cpu, struct report_vcpu *ret)
{
	unsigned avg = take_u16(input), est = take_u16(input);

	*ret = (struct report_vcpu){
		.cpu = (uint16_t)cpu,
		.util_avg = (uint16_t)(avg % 1025),
		.util_est = (uint16_t)(est % 1025),
		.freq_scale = 1024,
		.uclamp_min = (uint16_t)(est & 1 ? (avg >> 10) * 16 : 0),
		.uclamp_max = (uint16_t)(est & 2 ? (est >> 10) * 16 : 1024),
	};
}

/* A report as the protocol wants it, which claims what it likes. */
static void take_good_report(struct input *input, struct guest *guest, unsigned i)
{
	uint8_t bytes[1024];
	struct report_vcpu vcpus[8] = {};
	struct message_report out = {.sequence = guest->peer.sequence + 1 + take_u8(input) % 2,
				     .lease_msec = (uint16_t)(1 + take_u16(input) % 2000)};
	unsigned which = take_u8(input);
	int n;

	for (unsigned v = 0; v < 8; v++)
		if (which >> v & 1)
			take_record(input, v, &vcpus[out.n_vcpus++]);
	n = report_put(bytes, sizeof(bytes), &out, vcpus);
	REQUIRE(n > 0);
	take_frame(guest, i,
		   &(struct frame){MESSAGE_REPORT, bytes + FRAME_HEADER, (size_t)n - FRAME_HEADER});
}

static void check_placement(struct vcpu *vcpu, uint16_t demand, const struct cpumask *allowed,
			    struct plan_want *want)
{
	uint64_t next;

	want->placed = placement_choose(&vcpu->placement, &placement, demand, allowed, now_usec,
					&want->cpus, &next);
	REQUIRE(next > now_usec);
	if (want->placed) {
		REQUIRE(!cpumask_is_empty(&want->cpus));
		REQUIRE(cpumask_is_subset(&want->cpus, allowed));
	}
}

static void check_plan(struct vcpu *vcpu, const struct plan_want *want)
{
	static const struct plan_pace pace = {INTERVAL, LOWER};
	struct clamps had = clamps_tidy(
			      (struct clamps){vcpu->have.floor1024, vcpu->have.ceiling1024}),
		      clamps = plan_clamps(want);
	uint64_t next;
	unsigned ops = plan_vcpu(&vcpu->have, want, &pace, now_usec, &next);

	REQUIRE(next > now_usec);
	REQUIRE(clamps.ceiling1024 >= clamps.floor1024);
	if (ops & (PLAN_SET_CLAMPS | PLAN_CLEAR_CLAMPS)) {
		bool rises =
			clamps.floor1024 > had.floor1024 || clamps.ceiling1024 > had.ceiling1024;

		REQUIRE(vcpu->written_usec == 0 ||
			now_usec - vcpu->written_usec >= (rises ? INTERVAL : LOWER));
		vcpu->written_usec = now_usec;
	}
	for (unsigned op = 1; op <= PLAN_CLEAR_CPUS; op <<= 1)
		if (ops & op)
			plan_done(&vcpu->have, want, (enum plan_op)op, now_usec);
	REQUIRE(next != USEC_INFINITY || vcpu->have.floor1024 == clamps.floor1024);
	REQUIRE(plan_vcpu(&vcpu->have, want, &pace, now_usec, &next) == PLAN_NOTHING);
}

static void look_at_vcpu(struct guest *guest, unsigned v, const struct cpumask *allowed)
{
	struct vcpu *vcpu = &guest->vcpus[v];
	uint16_t demand = guest->demands[v].util1024, level1024;
	struct plan_want want = {};
	uint64_t next;

	REQUIRE(demand <= 1024);
	level1024 = level_move(&vcpu->level, &levels, demand, false, now_usec, &next);
	want.floor1024 = level_floor(&levels, level1024, vcpu->have.floor1024, floor_max);
	REQUIRE(next > now_usec);
	REQUIRE(level1024 >= demand);
	REQUIRE(want.floor1024 <= floor_max);
	REQUIRE(want.floor1024 >= level_floor(&levels, demand, 0, floor_max));
	if (vcpu->asks && demand == 0)
		vcpu->quiet_usec = now_usec;
	vcpu->asks = demand > 0;
	if (!vcpu->asks && now_usec - vcpu->quiet_usec >
				   levels.hold_usec + HALVES_MAX * MAX(levels.half_life_usec, 1U))
		REQUIRE(want.floor1024 == 0);
	want.ceiling1024 = v % 2 ? 0 : (uint16_t)(demand + 128); /* any: below the floor, too */
	check_placement(vcpu, demand, allowed, &want);
	check_plan(vcpu, &want);
}

/* The policy that all vCPUs run on. */
static void look_at_cpufreq(uint16_t floor1024)
{
	uint64_t next, written_usec = cpufreq.written_usec;
	uint32_t khz = freqplan_decide(&cpufreq, floor1024, INTERVAL, now_usec, &next);

	REQUIRE(next > now_usec);
	REQUIRE(khz == 0 || khz > cpufreq.prior_khz);
	REQUIRE(khz <= cpufreq.max_khz);
	REQUIRE(cpufreq.limit_khz == 0 || khz <= cpufreq.limit_khz);
	REQUIRE(freqplan_floor1024(&cpufreq, khz) <= 1024);
	if (khz == cpufreq.have_khz) {
		REQUIRE(floor1024 > 0 || khz == 0 || next <= now_usec + FREQPLAN_HOLD_USEC);
		return;
	}
	REQUIRE(written_usec == 0 || now_usec - written_usec >= INTERVAL);
	freqplan_done(&cpufreq, khz, now_usec);
	REQUIRE(freqplan_decide(&cpufreq, floor1024, INTERVAL, now_usec, &next) == khz);
}

/* hostd looks at each domain whenever something has happened or a deadline has come. */
static void look(void)
{
	uint16_t floor1024 = 0;

	for (unsigned i = 0; i < DOMAINS; i++) {
		struct guest *guest = &guests[i];
		uint64_t next;

		if (guest->connected) {
			check_binding(guest, i);
			if (peer_overdue(&guest->peer, &peer_config, now_usec, &next))
				disconnect(guest);
			else
				REQUIRE(next > now_usec);
		}
		demand_expire(&guest->demand, now_usec);
		REQUIRE(guest->demand.lease_until_usec == 0 ||
			guest->demand.lease_until_usec > now_usec);
		REQUIRE(guest->connected || !demand_any(&guest->demand));
		for (unsigned v = 0; v < guest->demand.n_vcpus; v++) {
			look_at_vcpu(guest, v, &domains[i].vcpus[v].allowed);
			floor1024 = MAX(floor1024, guest->vcpus[v].have.floor1024);
		}
	}
	look_at_cpufreq(floor1024);
}

/* To the next moment: never past a lease, for hostd's timer wakes it then. */
static void pass_time(struct input *input)
{
	uint64_t until_usec = now_usec + ((uint64_t)take_u8(input) << take_u8(input) % 20);

	while (now_usec < until_usec) {
		uint64_t next_usec = until_usec;

		for (unsigned i = 0; i < DOMAINS; i++)
			if (guests[i].demand.lease_until_usec > 0)
				next_usec = MIN(next_usec, guests[i].demand.lease_until_usec);
		now_usec = next_usec;
		look();
	}
}

static void step(struct input *input)
{
	uint8_t op = take_u8(input);
	unsigned i = op >> 4 & (DOMAINS - 1);

	switch (op % 8) {
	case 0:
		start_domain(input, i);
		break;
	case 1:
		connect_guest(input);
		break;
	case 2:
		take_any_frame(input, &guests[i], i);
		break;
	case 3:
		take_good_hello(input, &guests[i], i);
		break;
	case 4:
	case 5:
		take_good_report(input, &guests[i], i);
		break;
	case 6:
		peer_partial(&guests[i].peer, op & 8, now_usec);
		break;
	default:
		pass_time(input);
	}
	look();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};

	now_usec = USEC_PER_SEC;
	next_id = 1;
	read_configs(&input);
	read_cpufreq(data, size);
	for (unsigned i = 0; i < DOMAINS; i++)
		start_domain(&input, i);
	while (input.size > 0)
		step(&input);
	for (unsigned i = 0; i < DOMAINS; i++) {
		free(guests[i].demands);
		guests[i] = (struct guest){};
		inventory_domain_clear(&domains[i]);
	}
	return 0;
}
