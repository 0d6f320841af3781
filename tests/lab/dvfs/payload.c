/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/payload.h"

#include <stddef.h>

#include "tests/lab/dvfs/lane.h"
#include "tests/lab/dvfs/machine.h"

/* Arm DEN0022 (PSCI), DEN0028 (SMCCC), DEN0057 (PV time) */
#define PSCI_VERSION		   UINT64_C(0x84000000)
#define PSCI_SYSTEM_OFF		   UINT64_C(0x84000008)
#define PSCI_FEATURES		   UINT64_C(0x8400000a)
#define PSCI_CPU_ON		   UINT64_C(0xc4000003)
#define PSCI_VERSION_WITH_FEATURES UINT64_C(0x10000)
#define SMCCC_VERSION		   UINT64_C(0x80000000)
#define SMCCC_ARCH_FEATURES	   UINT64_C(0x80000001)
#define PV_TIME_FEATURES	   UINT64_C(0xc5000020)
#define PV_TIME_ST		   UINT64_C(0xc5000021)

#define LOOK_MSEC    20 /* at the mailbox, while there is nothing to do */
#define TOUCH_SIZE   4096
#define FOREVER_MSEC 3600000

/* A vCPU. */
struct vcpu {
	struct mailbox *mailbox;
	struct lane lane;
	const volatile uint64_t *stolen; /* KVM's, or NULL */
	uint32_t index;
	uint64_t preempted_nsec; /* the page's, as it was last read whole */
	uint64_t asleep_nsec;	 /* what was stolen, or became known as stolen, while it slept */
};

static struct vcpu vcpus[MAILBOX_VCPUS];

static bool failed(uint64_t result)
{
	return (int32_t)result < 0;
}

/* Without overflow, whatever the counter's rate. */
static uint64_t count_nsec(uint64_t count, uint64_t hz)
{
	return count / hz * 1000000000 + count % hz * 1000000000 / hz;
}

static uint64_t usec_count(uint64_t usec, uint64_t hz)
{
	return usec / 1000000 * hz + usec % 1000000 * hz / 1000000;
}

/* ---- doors of a lane */

static uint64_t now_usec(void *userdata)
{
	const struct vcpu *v = userdata;

	return count_nsec(machine_counter() - v->mailbox->start_count, v->mailbox->counter_hz) /
	       1000;
}

/* How long this vCPU hasn't run though it would have. What the page says is as late as the feeder.
 */
static uint64_t stolen_nsec(struct vcpu *v)
{
	const struct freqpage *page = (const struct freqpage *)v->mailbox->page;
	uint64_t since_nsec;

	if (v->stolen)
		return *v->stolen;
	freqpage_get_preempted(&page->vcpu[v->index], &v->preempted_nsec, &since_nsec);
	return v->preempted_nsec;
}

static int64_t ran_nsec(void *userdata)
{
	struct vcpu *v = userdata;
	uint64_t count = machine_counter() - v->mailbox->start_count;

	return (int64_t)(count_nsec(count, v->mailbox->counter_hz) - stolen_nsec(v));
}

static uint32_t rate20(void *userdata)
{
	const struct vcpu *v = userdata;
	const struct freqpage *page = (const struct freqpage *)v->mailbox->page;

	return freqpage_rate20(page, FREQPAGE_GET(page->vcpu[v->index].cpu));
}

static uint32_t cpu(void *userdata)
{
	return ((const struct vcpu *)userdata)->index;
}

static void spin(void *userdata, uint32_t rounds)
{
	(void)userdata;
	machine_spin(rounds);
}

static void wait_for(void *userdata, uint64_t until_usec, const uint32_t *kicked)
{
	struct vcpu *v = userdata;
	uint64_t before_nsec = stolen_nsec(v);

	if (__atomic_load_n(kicked, __ATOMIC_ACQUIRE) == 0)
		machine_sleep_until(v->mailbox->start_count +
				    usec_count(until_usec, v->mailbox->counter_hz));
	v->asleep_nsec += stolen_nsec(v) - before_nsec;
}

static void kick(void *userdata, uint32_t lane)
{
	(void)userdata;
	machine_wake(lane);
}

static void lock(void *userdata)
{
	const struct vcpu *v = userdata;

	while (__atomic_exchange_n(&v->mailbox->lock, 1, __ATOMIC_ACQUIRE) != 0)
		;
}

static void unlock(void *userdata)
{
	const struct vcpu *v = userdata;

	__atomic_store_n(&v->mailbox->lock, 0, __ATOMIC_RELEASE);
}

static const struct lane_doors doors = {now_usec, ran_nsec, rate20, cpu,   spin,
					wait_for, kick,	    lock,   unlock};

/* ---- coming up */

/* Steal time is asked for only where the hypervisor says that it knows the question. */
static const volatile uint64_t *find_steal(void)
{
	uint64_t address;

	if (failed(machine_call(PSCI_VERSION, 0, 0, 0)) ||
	    machine_call(PSCI_VERSION, 0, 0, 0) < PSCI_VERSION_WITH_FEATURES ||
	    failed(machine_call(PSCI_FEATURES, SMCCC_VERSION, 0, 0)) ||
	    failed(machine_call(SMCCC_ARCH_FEATURES, PV_TIME_FEATURES, 0, 0)) ||
	    failed(machine_call(PV_TIME_FEATURES, PV_TIME_ST, 0, 0)))
		return NULL;
	address = machine_call(PV_TIME_ST, 0, 0, 0);
	return address == MACHINE_NOT_SUPPORTED ? NULL : machine_map_steal(address);
}

static struct vcpu *come_up(struct mailbox *mailbox, uint32_t index)
{
	struct vcpu *v = &vcpus[index];

	*v = (struct vcpu){.mailbox = mailbox, .index = index};
	machine_init_vcpu(index);
	v->stolen = find_steal();
	if (v->stolen)
		__atomic_fetch_add(&mailbox->n_pv_time, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&mailbox->n_vcpus, 1, __ATOMIC_RELEASE);
	return v;
}

static void sleep_msec(const struct vcpu *v, uint64_t msec)
{
	machine_sleep_until(machine_counter() + usec_count(msec * 1000, v->mailbox->counter_hz));
}

/* As many as there are: CPU_ON fails for the first that isn't there. */
static void start_others(struct vcpu *v)
{
	for (uint32_t i = 1; i < MAILBOX_VCPUS; i++) {
		if (failed(machine_call(PSCI_CPU_ON, i, machine_entry(), i)))
			return;
		while (MAILBOX_GET(v->mailbox->n_vcpus) <= i)
			sleep_msec(v, 1);
	}
}

/* ---- running */

static enum mailbox_steal source_of(const struct vcpu *v)
{
	const struct freqpage *page = (const struct freqpage *)v->mailbox->page;

	if (v->stolen)
		return MAILBOX_STEAL_PV_TIME;
	return page->vcpu[v->index].tid != 0 ? MAILBOX_STEAL_PAGE : MAILBOX_STEAL_NONE;
}

static void carry(struct vcpu *v)
{
	struct mailbox *mailbox = v->mailbox;
	uint64_t before_nsec;

	if (v->index < mailbox->timetable.n_cpus) {
		v->lane = (struct lane){.dispatch = &mailbox->dispatch,
					.timetable = &mailbox->timetable,
					.doors = &doors,
					.userdata = v,
					.index = v->index};
		while (machine_counter() < mailbox->start_count)
			machine_sleep_until(mailbox->start_count);
		before_nsec = stolen_nsec(v);
		v->asleep_nsec = 0;
		lane_run(&v->lane);
		mailbox->steal[v->index] = source_of(v);
		mailbox->stolen_nsec[v->index] = stolen_nsec(v) - before_nsec;
		mailbox->asleep_nsec[v->index] = v->asleep_nsec;
		mailbox->steps[v->index] = v->lane.steps;
		mailbox->step_nsec[v->index] = v->lane.step_nsec;
	}
	__atomic_fetch_add(&mailbox->n_ended, 1, __ATOMIC_RELEASE);
}

static void wake_others(const struct mailbox *mailbox)
{
	for (uint32_t i = 1; i < mailbox->n_vcpus; i++)
		machine_wake(i);
}

/* A page that the hypervisor hasn't yet given costs an exit when it is first touched: not in the
 * middle. */
static void touch(const struct mailbox *mailbox)
{
	for (size_t i = 0; i < sizeof(*mailbox); i += TOUCH_SIZE)
		(void)*((const volatile uint8_t *)mailbox + i);
}

static void run(struct vcpu *v)
{
	struct mailbox *mailbox = v->mailbox;

	touch(mailbox);
	dispatch_init(&mailbox->dispatch, &mailbox->timetable, false);
	mailbox->n_ended = 0;
	mailbox->state = MAILBOX_RUNNING;
	MAILBOX_SET(mailbox->n_runs, mailbox->n_runs + 1);
	wake_others(mailbox);
	carry(v);
	while (MAILBOX_GET(mailbox->n_ended) < mailbox->n_vcpus)
		sleep_msec(v, 1);
	MAILBOX_SET(mailbox->state, MAILBOX_DONE);
	while (MAILBOX_GET(mailbox->command) == MAILBOX_RUN)
		sleep_msec(v, LOOK_MSEC);
	MAILBOX_SET(mailbox->state, MAILBOX_READY);
}

/* Only now and then, and never near a run. */
static void answer_pings(struct vcpu *v)
{
	struct mailbox *mailbox = v->mailbox;

	MAILBOX_SET(mailbox->state, MAILBOX_PINGING);
	while (MAILBOX_GET(mailbox->command) == MAILBOX_PING) {
		uint64_t ping = MAILBOX_GET(mailbox->ping);

		if (ping != mailbox->pong) {
			mailbox->pong_count = machine_counter();
			MAILBOX_SET(mailbox->pong, ping);
		}
	}
	MAILBOX_SET(mailbox->state, MAILBOX_READY);
}

void payload_main(struct mailbox *mailbox)
{
	struct vcpu *v;
	uint32_t command;

	mailbox->counter_hz = machine_counter_hz();
	mailbox->n_vcpus = mailbox->n_pv_time = mailbox->n_runs = 0;
	MAILBOX_SET(mailbox->state, MAILBOX_BOOTING);
	v = come_up(mailbox, 0);
	start_others(v);
	mailbox->version = MAILBOX_VERSION;
	MAILBOX_SET(mailbox->state, MAILBOX_READY);
	MAILBOX_SET(mailbox->magic, MAILBOX_MAGIC);
	while ((command = MAILBOX_GET(mailbox->command)) != MAILBOX_OFF) {
		if (command == MAILBOX_RUN)
			run(v);
		else if (command == MAILBOX_PING)
			answer_pings(v);
		else
			sleep_msec(v, LOOK_MSEC);
	}
	MAILBOX_SET(mailbox->magic, 0);
	wake_others(mailbox);
	machine_call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

void payload_secondary(struct mailbox *mailbox, uint32_t index)
{
	struct vcpu *v = come_up(mailbox, index);
	uint32_t n_runs = 0;

	for (;;) {
		while (MAILBOX_GET(mailbox->n_runs) == n_runs) {
			if (MAILBOX_GET(mailbox->command) == MAILBOX_OFF)
				return;
			sleep_msec(v, FOREVER_MSEC);
		}
		n_runs = MAILBOX_GET(mailbox->n_runs);
		carry(v);
	}
}
