/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-guestd in a simulated guest: when it runs, and its tick. As guestd/guest.c. */
#include "common/macro.h"
#include "tests/sim/guestd_model_private.h"

#define MODEL_OF(event, member) EVENT_OWNER(event, struct guestd_model, member)

void guestd_config_init(struct guestd_config *config)
{
	*config = (struct guestd_config){
		.wake_nsec = 5 * SIM_USEC,
		.tick_nsec = 40 * SIM_USEC,
		.frame_nsec = 20 * SIM_USEC,
		.start_nsec = 10 * SIM_MSEC,
	};
	config_defaults(guest_config_keys, guest_config_keys_n, &config->guest);
}

/* -- when it runs -- */

/* Stopped (SIGSTOP), or hung: what is due waits, and its connection stands. For ever: it is killed.
 */
bool guestd_is_silent(const struct guestd_model *model)
{
	const struct agent_config *agent = model->world.agent;
	uint64_t now = queue_now(model->world.queue);

	return now >= agent->silent_from_nsec && now < agent->silent_until_nsec;
}

void guestd_wake(struct guestd_model *model, enum guestd_due due)
{
	bool waits = model->due != 0 || model->working;

	model->due |= due;
	if (!waits && !guestd_is_silent(model))
		queue_set(model->world.queue, &model->wake,
			  queue_now(model->world.queue) + model->config.wake_nsec);
}

static void on_wake(struct event *event)
{
	struct guestd_model *model = MODEL_OF(event, wake);
	double work = (double)(model->due & DUE_TICK ? model->config.tick_nsec
						     : model->config.frame_nsec);

	model->working = true;
	vm_run_agent(model->world.vm, work, &model->work);
}

/* All that has become due by now is taken: as the descriptors that sd-event finds ready. */
static void on_work(struct event *event)
{
	struct guestd_model *model = MODEL_OF(event, work);
	unsigned due = model->due;

	model->working = false;
	if (guestd_is_silent(model))
		return;
	model->due = 0;
	if (due & DUE_IO)
		guestd_link_serve(model);
	if (due & DUE_SPEED)
		guestd_cpufreq_govern(model, guestd_now_usec(model));
	if (due & DUE_TICK)
		guestd_tick(model);
}

static void on_tick(struct event *event)
{
	guestd_wake(MODEL_OF(event, tick), DUE_TICK);
}

static void on_speed(struct event *event)
{
	guestd_wake(MODEL_OF(event, speed), DUE_SPEED);
}

/* It goes on where it was stopped; or it has been killed, and its kernel closes its connection. */
static void on_back(struct event *event)
{
	struct guestd_model *model = MODEL_OF(event, back);

	if (guestd_is_silent(model)) {
		path_close(model->world.path, PATH_GUEST);
		return;
	}
	model->due = 0;
	guestd_wake(model, DUE_TICK | DUE_IO);
}

/* -- the tick -- */

uint64_t guestd_lease_usec(const struct guestd_model *model)
{
	return MIN(model->config.guest.lease_usec, model->dialog.lease_max_msec * USEC_PER_MSEC);
}

void guestd_hotplug(struct guestd_model *model, const struct cpumask *cpus)
{
	struct cpumask old = model->cpus;

	model->cpus = *cpus;
	CPUMASK_FOREACH(cpu, &old)
		if (!cpumask_has(&model->cpus, cpu))
			reporter_remove(model->reporter, cpu);
	cpumask_and(&model->hello_cpus, &model->hello_cpus, &model->cpus);
	if (model->hello_sent && !cpumask_is_subset(&model->cpus, &model->hello_cpus))
		guestd_link_renew(model);
}

/* As schedule(). */
static void schedule(struct guestd_model *model, uint64_t now_usec)
{
	uint64_t usec = guestd_signal_next_usec(model, now_usec);

	daemon_set_timer(model->world.queue, &model->tick, now_usec + usec,
			 usec >= model->config.guest.idle_interval_usec ? usec / 5 : usec / 20 + 1);
}

void guestd_tick(struct guestd_model *model)
{
	uint64_t stamp_usec = guestd_signal_take(model), now_usec = guestd_now_usec(model);

	guestd_link_check(model, now_usec);
	guestd_cpufreq_govern(model, now_usec);
	guestd_link_report(model, stamp_usec, now_usec);
	schedule(model, now_usec);
}

/* -- life and death -- */

static bool allocate(struct guestd_model *model)
{
	model->reporter = reporter_new();
	model->records = calloc(model->n_cpus, sizeof(*model->records));
	model->scale1024 = calloc(CPUMASK_CPUS, sizeof(*model->scale1024));
	if (!model->reporter || !model->records || !model->scale1024)
		return false;
	for (unsigned i = 0; i < CPUMASK_CPUS; i++)
		model->scale1024[i] = CAPACITY_SCALE;
	reporter_configure(model->reporter, guestd_lease_usec(model),
			   (uint32_t)model->config.guest.step1024);
	return guestd_signal_init(model) && guestd_cpufreq_init(model);
}

static void start(struct guestd_model *model)
{
	const struct agent_config *agent = model->world.agent;
	struct queue *queue = model->world.queue;
	uint64_t after = dice_between(&model->dice, 0, model->config.start_nsec);
	uint64_t now_usec = guestd_now_usec(model) + after / NSEC_PER_USEC;

	if (agent->silent_from_nsec < agent->silent_until_nsec)
		queue_set(queue, &model->back,
			  agent->silent_until_nsec == SIM_NEVER ? agent->silent_from_nsec
								: agent->silent_until_nsec);
	guestd_link_init(model);
	daemon_set_timer(queue, &model->retry, now_usec, 0);
	daemon_set_timer(queue, &model->tick, now_usec + model->config.guest.interval_usec, 0);
	guestd_cpufreq_govern(model, guestd_now_usec(model));
}

struct guestd_model *guestd_model_new(const struct guestd_world *world,
				      const struct guestd_config *config)
{
	struct guestd_model *model = calloc(1, sizeof(*model));
	char stream[128];

	if (!model)
		return NULL;
	model->world = *world;
	model->config = *config;
	model->n_cpus = vm_config(world->vm)->n_vcpus;
	snprintf(stream, sizeof(stream), "guestd %s", vm_config(world->vm)->name);
	dice_init(&model->dice, world->seed, stream);
	model->wake.fire = on_wake;
	model->work.fire = on_work;
	model->tick.fire = on_tick;
	model->speed.fire = on_speed;
	model->back.fire = on_back;
	dialog_start(&model->dialog, guestd_now_usec(model));
	if (!allocate(model)) {
		guestd_model_free(model);
		return NULL;
	}
	start(model);
	return model;
}

void guestd_model_free(struct guestd_model *model)
{
	struct event *events[6];

	if (!model)
		return;
	events[0] = &model->wake, events[1] = &model->work, events[2] = &model->tick;
	events[3] = &model->retry, events[4] = &model->speed, events[5] = &model->back;
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		queue_set(model->world.queue, events[i], SIM_NEVER);
	guestd_cpufreq_done(model);
	guestd_signal_done(model);
	reporter_free(model->reporter);
	free(model->records);
	free(model->scale1024);
	free(model);
}

bool guestd_model_is_streaming(const struct guestd_model *model)
{
	return model->dialog.streaming;
}

uint16_t guestd_model_sent(const struct guestd_model *model, unsigned vcpu)
{
	return reporter_sent(model->reporter, vcpu);
}
