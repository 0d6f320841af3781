/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the simulated guestd's estimates come from: the eBPF programs' records, /proc, or a lie. As
 * guestd/guest_signal.c with guestd/pelt.bpf.c, and sample() of guestd/guest.c with
 * guestd/counters_proc.c. */
#include <string.h>

#include "common/macro.h"
#include "guestd/estimate.h"
#include "tests/sim/guestd_model_private.h"

/* As in guestd/guest.c and guestd/guest_signal.c. */
#define COST_FACTOR   4U
#define QUIET_SAMPLES 10U
#define WAIT_USEC     USEC_PER_SEC
#define ONLINE_USEC   USEC_PER_SEC

static bool is_bpf(const struct guestd_model *model)
{
	return model->world.agent->kind == AGENT_BPF;
}

/* A liar says that its signal is the better one. */
enum hello_signal guestd_signal(const struct guestd_model *model)
{
	return model->world.agent->kind == AGENT_PROC ? SIGNAL_PROC : SIGNAL_EBPF;
}

static void read_online(const struct guestd_model *model, struct cpumask *ret)
{
	cpumask_clear(ret);
	for (unsigned i = 0; i < model->n_cpus; i++)
		if (kernel_is_online(vm_kernel(model->world.vm), i))
			cpumask_set(ret, i);
}

/* As both measure_cost(). */
static void measure_cost(struct guestd_model *model)
{
	uint64_t used = vm_agent(model->world.vm)->run_nsec;

	if (model->self_run_nsec > 0)
		model->cost_nsec = (model->cost_nsec * 7 + used - model->self_run_nsec) / 8;
	model->self_run_nsec = used;
}

/* -- eBPF -- */

static uint16_t cut(double util)
{
	return (uint16_t)pelt_step_cut((uint64_t)MAX(util, 0.0));
}

/* As leave_self_out(): the programs find guestd's task when it first runs. */
static void leave_self_out(const struct guestd_model *model, unsigned vcpu, uint32_t *util_avg,
			   uint32_t *util_est, uint32_t *runnable_avg)
{
	struct task *self = vm_agent(model->world.vm);

	if (self->cpu != vcpu || self->run_nsec == 0)
		return;
	*util_avg = pelt_step_others(*util_avg, cut(task_util(self)));
	*runnable_avg = pelt_step_less(*runnable_avg, cut(self->avg.runnable_avg));
	if (self->queued)
		*util_est = pelt_step_less(*util_est, cut(self->avg.util_est));
}

/* As fill(). There are no real-time and deadline tasks. */
static void fill(const struct guestd_model *model, unsigned vcpu, const struct cpu_signal *signal,
		 struct pelt_record *record)
{
	uint32_t util_avg = (uint32_t)signal->util_avg, util_est = (uint32_t)signal->util_est;
	uint32_t runnable_avg = (uint32_t)signal->runnable_avg;
	struct cpu_view view;

	kernel_view(vm_kernel(model->world.vm), vcpu, &view);
	leave_self_out(model, vcpu, &util_avg, &util_est, &runnable_avg);
	record->util_avg1024 = (uint16_t)pelt_step_cut(util_avg);
	record->util_est1024 = (uint16_t)pelt_step_cut(MAX(util_est, runnable_avg));
	record->uclamp_min1024 = cut(signal->uclamp_min);
	record->uclamp_max1024 = cut(signal->uclamp_max);
	record->runnable = (uint16_t)view.n_running;
	record->run_nsec = view.run_nsec;
	record->steal_nsec = view.steal_nsec;
	record->delay_nsec = view.delay_nsec;
}

/* Whether pelt_cfs_tp has fired: a wake-up from I/O alone only makes the kernel's cpufreq look. */
static bool is_new(struct guestd_model *model, unsigned vcpu, const struct cpu_signal *signal)
{
	struct guestd_seen *seen = &model->seen[vcpu];
	const struct guestd_seen now = {signal->update_nsec, signal->util_avg};
	bool same = seen->update_nsec == now.update_nsec && seen->util_avg == now.util_avg;

	*seen = now;
	return !same;
}

/* As on_cfs(). */
void guestd_model_updated(struct guestd_model *model, unsigned vcpu)
{
	struct cpu_signal signal;

	if (!model->signal)
		return;
	kernel_signal(vm_kernel(model->world.vm), vcpu, &signal);
	if (!is_new(model, vcpu, &signal))
		return;
	fill(model, vcpu, &signal, signal_model_record(model->signal, vcpu));
	if (signal_model_note(model->signal, vcpu, daemon_nsec(model->world.queue)))
		guestd_wake(model, DUE_TICK);
}

/* As on_idle(). */
void guestd_model_idle(struct guestd_model *model, unsigned vcpu, bool idle)
{
	if (model->signal)
		signal_model_idle(model->signal, vcpu, idle, daemon_nsec(model->world.queue));
}

/* As guest_signal_look() with look_for_cpus(). */
static void look(struct guestd_model *model, uint64_t now_usec)
{
	struct cpumask cpus;

	if (now_usec - model->online_usec >= ONLINE_USEC) {
		model->online_usec = now_usec;
		read_online(model, &cpus);
		if (!cpumask_equal(&cpus, &model->cpus))
			guestd_hotplug(model, &cpus);
	}
	signal_model_look(model->signal, &model->cpus, model->scale1024, model->reporter,
			  now_usec * NSEC_PER_USEC);
}

/* With nothing to say but a PING. */
static uint64_t quiet_usec(const struct guestd_model *model, uint64_t now_usec)
{
	uint64_t next_usec = reporter_next_usec(model->reporter);

	return next_usec > now_usec ? next_usec - now_usec : USEC_PER_MSEC;
}

/* As guest_signal_settle(). */
static uint64_t settle(struct guestd_model *model, uint64_t now_usec)
{
	measure_cost(model);
	if (!model->dialog.streaming)
		return model->state == UPLINK_DOWN ? REPORTER_PING_USEC : WAIT_USEC;
	if (model->dialog.quiet)
		return quiet_usec(model, now_usec);
	return signal_model_settle(model->signal, &model->cpus, model->reporter, model->cost_nsec,
				   now_usec);
}

/* -- /proc -- */

/* As counters_proc_read(): /proc/stat in its ticks, /proc/schedstat. Nothing waits for I/O there.
 */
static void read_counters(struct guestd_model *model, struct counters *ret)
{
	struct task *self = vm_agent(model->world.vm);

	ret->stamp_nsec = daemon_nsec(model->world.queue);
	ret->has_schedstat = true;
	ret->self_cpu = self->cpu;
	ret->self_run_nsec = self->run_nsec;
	ret->procs_running = 0;
	read_online(model, &ret->present);
	CPUMASK_FOREACH(cpu, &ret->present) {
		struct cpu_view view;

		kernel_view(vm_kernel(model->world.vm), cpu, &view);
		ret->procs_running += view.n_running;
		ret->cpu[cpu] = (struct cpu_counters){
			.busy_ticks = view.run_nsec / COUNTERS_TICK_NSEC,
			.idle_ticks = view.idle_nsec / COUNTERS_TICK_NSEC,
			.steal_ticks = view.steal_nsec / COUNTERS_TICK_NSEC,
			.run_nsec = view.booked_nsec,
			.delay_nsec = view.delay_nsec,
			.slices = view.slices,
		};
	}
}

/* As sample(). */
static void sample(struct guestd_model *model)
{
	read_counters(model, model->counters);
	measure_cost(model);
	if (!cpumask_equal(&model->counters->present, &model->cpus))
		guestd_hotplug(model, &model->counters->present);
	estimator_update(model->estimator, model->counters, model->scale1024);
	CPUMASK_FOREACH(cpu, &model->cpus) {
		struct estimate estimate;

		estimator_get(model->estimator, cpu, &estimate);
		reporter_put(model->reporter, cpu, &estimate, model->scale1024[cpu]);
	}
}

/* As next_sample_usec(), with what next_usec() does before. */
static uint64_t next_sample_usec(struct guestd_model *model)
{
	uint64_t usec = model->config.guest.interval_usec;

	if (estimator_is_active(model->estimator))
		model->quiet_samples = 0;
	else if (model->quiet_samples < QUIET_SAMPLES)
		model->quiet_samples++;
	if (!model->dialog.streaming)
		return model->config.guest.idle_interval_usec;
	if (model->dialog.quiet)
		return REPORTER_PING_USEC / 2;
	if (model->quiet_samples >= QUIET_SAMPLES) {
		if (!reporter_is_busy(model->reporter))
			return model->config.guest.idle_interval_usec;
		usec *= 4;
	}
	usec = MAX(usec, model->cost_nsec * COST_FACTOR / NSEC_PER_USEC);
	return MIN(usec, guestd_lease_usec(model) / 4);
}

/* -- a lie -- */

static bool lie_is_off(const struct guestd_model *model)
{
	uint64_t period = model->world.agent->lie_period_nsec;

	return period > 0 && queue_now(model->world.queue) % period >= period / 2;
}

/* The same for every vCPU, whatever it does. */
static void lie(struct guestd_model *model)
{
	uint16_t util = lie_is_off(model) ? 0 : model->world.agent->lie_util1024;

	CPUMASK_FOREACH(cpu, &model->cpus) {
		struct estimate estimate = {.util_avg = util,
					    .util_est = util,
					    .saturated = util >= PELT_STEP_SATURATED1024,
					    .runnable = 1,
					    .uclamp_max = PROTO_UTIL_MAX};

		reporter_put(model->reporter, cpu, &estimate, CAPACITY_SCALE);
	}
}

static uint64_t next_lie_usec(const struct guestd_model *model, uint64_t now_usec)
{
	uint64_t due_usec = reporter_next_usec(model->reporter);
	uint64_t usec = due_usec > now_usec ? due_usec - now_usec : USEC_PER_MSEC;
	uint64_t half = model->world.agent->lie_period_nsec / 2 / NSEC_PER_USEC;

	if (!model->dialog.streaming)
		return WAIT_USEC;
	return half > 0 ? MIN(usec, half - (now_usec - DAEMON_BASE_USEC) % half) : usec;
}

/* -- one of them -- */

bool guestd_signal_init(struct guestd_model *model)
{
	uint64_t gap_usec = MAX(3 * model->config.guest.idle_interval_usec, 2 * USEC_PER_SEC);

	read_online(model, &model->cpus);
	model->online_usec = guestd_now_usec(model);
	if (is_bpf(model)) {
		model->signal =
			signal_model_new(model->n_cpus, (uint32_t)model->config.guest.step1024);
		model->seen = calloc(model->n_cpus, sizeof(*model->seen));
		return model->signal && model->seen;
	}
	if (model->world.agent->kind != AGENT_PROC)
		return true;
	model->estimator = estimator_new(model->config.guest.window_usec * NSEC_PER_USEC,
					 gap_usec * NSEC_PER_USEC);
	model->counters = calloc(1, sizeof(*model->counters));
	return model->estimator && model->counters;
}

void guestd_signal_done(struct guestd_model *model)
{
	signal_model_free(model->signal);
	free(model->seen);
	estimator_free(model->estimator);
	free(model->counters);
}

uint64_t guestd_signal_take(struct guestd_model *model)
{
	uint64_t now_usec = guestd_now_usec(model);

	if (model->signal)
		look(model, now_usec);
	else if (model->estimator)
		sample(model);
	else
		lie(model);
	return now_usec;
}

uint64_t guestd_signal_next_usec(struct guestd_model *model, uint64_t now_usec)
{
	if (model->signal)
		return settle(model, now_usec);
	return model->estimator ? next_sample_usec(model) : next_lie_usec(model, now_usec);
}
