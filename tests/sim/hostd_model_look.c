/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the simulated hostd can see of its host, and when: stand-ins for /proc and /sys. A look is
 * at a stated interval while something is demanded, costs its time, and is all that is known until
 * the next. */
#include "common/macro.h"
#include "tests/sim/hostd_model_private.h"

#define TICK_NSEC (10 * SIM_MSEC) /* of /proc/stat */

static void see_cpu(const struct hostd_model *host, unsigned cpu, struct cpu_seen *ret)
{
	struct kernel *kernel = machine_kernel(host->machine);
	struct cpu_view view;

	*ret = (struct cpu_seen){
		.online = kernel_is_online(kernel, cpu),
		.khz = machine_khz(host->machine, cpu),
		.max_khz = machine_max_khz(host->machine, cpu),
		.capacity1024 = (uint16_t)machine_config(host->machine)->kernel.capacity[cpu],
	};
	if (!ret->online)
		return;
	kernel_view(kernel, cpu, &view);
	ret->busy_nsec = view.booked_nsec;
	ret->idle_ticks = view.idle_nsec / TICK_NSEC;
}

/* Only threads that are asked for, or have a floor: a host has many that neither is true of. */
static bool is_worth_it(const struct hostd_domain *domain, unsigned i)
{
	return domain->vcpus[i].thread &&
	       (domain->demands[i].util1024 > 0 || domain->vcpus[i].have.floor1024 > 0);
}

/* Returns how many it has looked at. */
static unsigned see_domain(struct hostd_domain *domain)
{
	unsigned n = 0;

	for (unsigned i = 0; i < domain->n_vcpus; i++) {
		const struct task *thread = domain->vcpus[i].thread;

		domain->vcpus[i].seen = (struct thread_seen){};
		if (!is_worth_it(domain, i))
			continue;
		n++;
		domain->vcpus[i].seen = (struct thread_seen){.valid = true,
							     .cpu = thread->cpu,
							     .run_nsec = thread->run_nsec,
							     .delay_nsec = thread->delay_nsec};
	}
	return n;
}

static bool is_demanded(const struct hostd_model *host)
{
	for (const struct hostd_domain *domain = host->domains; domain; domain = domain->next)
		if (demand_any(&domain->demand))
			return true;
	return false;
}

static void look(struct hostd_model *host)
{
	unsigned n = host->n_cpus;

	for (unsigned i = 0; i < host->n_cpus; i++)
		see_cpu(host, i, &host->cpu[i]);
	for (struct hostd_domain *domain = host->domains; domain; domain = domain->next)
		n += see_domain(domain);
	host->seen_usec = hostd_now_usec(host);
	host->free_nsec =
		MAX(host->free_nsec, queue_now(host->queue)) + n * host->config.look_each_nsec;
	hostd_policy_looked(host, host->seen_usec);
}

static void on_look(struct event *event)
{
	struct hostd_model *host = EVENT_OWNER(event, struct hostd_model, look);

	host->looks = is_demanded(host);
	if (!host->looks)
		return;
	look(host);
	queue_set(host->queue, &host->look, queue_now(host->queue) + host->config.look_nsec);
}

void hostd_look_begin(struct hostd_model *host)
{
	if (host->looks || host->config.look_nsec == 0)
		return;
	host->looks = true;
	look(host);
	queue_set(host->queue, &host->look, queue_now(host->queue) + host->config.look_nsec);
}

void hostd_look_init(struct hostd_model *host)
{
	host->n_cpus = machine_config(host->machine)->kernel.n_cpus;
	host->look.fire = on_look;
}

void hostd_look_done(struct hostd_model *host)
{
	queue_set(host->queue, &host->look, SIM_NEVER);
}

void hostd_delivered(const struct hostd_domain *domain, unsigned i, struct feedback_vcpu *ret)
{
	const struct hostd_model *host = domain->host;
	const struct task *thread = domain->vcpus[i].thread;

	*ret = (struct feedback_vcpu){.cpu = domain->identity.cpu_of_vcpu[i],
				      .capacity = CAPACITY_SCALE};
	if (!thread)
		return;
	ret->capacity = (uint16_t)machine_config(host->machine)->kernel.capacity[thread->cpu];
	ret->freq_max_khz = machine_max_khz(host->machine, thread->cpu);
	ret->freq_khz = MIN(machine_khz(host->machine, thread->cpu), ret->freq_max_khz);
}
