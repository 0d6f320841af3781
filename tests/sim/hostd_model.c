/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-hostd on a simulated host: its process, and its domains. As hostd/host.c and
 * hostd/host_domains.c. */
#include <string.h>

#include "common/macro.h"
#include "tests/sim/hostd_model_private.h"

#define DOMAIN_OF(event, member) EVENT_OWNER(event, struct hostd_domain, member)

void hostd_config_init(struct hostd_config *config)
{
	*config = (struct hostd_config){
		.wake_nsec = 10 * SIM_USEC,
		.work_nsec = 20 * SIM_USEC,
		.look_nsec = hostd_policy_look_nsec,
		.look_each_nsec = 4 * SIM_USEC,
		.figures_nsec = SIM_SEC,
	};
	config_defaults(host_config_keys, host_config_n_keys, &config->host);
}

/* -- the process -- */

/* It serves what waits, one after the other; what it finds is what there is when it is done with
 * it. */
static void set_work(struct hostd_model *host, uint64_t wake_nsec)
{
	uint64_t at = MAX(queue_now(host->queue) + wake_nsec, host->free_nsec);

	host->woken = true;
	queue_set(host->queue, &host->work, at + host->config.work_nsec);
}

void hostd_wake(struct hostd_domain *domain, enum hostd_due due)
{
	struct hostd_model *host = domain->host;

	if (domain->due == 0) {
		domain->next_ready = NULL;
		*host->last_ready = domain;
		host->last_ready = &domain->next_ready;
	}
	domain->due |= due;
	if (!host->woken)
		set_work(host, host->config.wake_nsec);
}

static void leave_ready(struct hostd_model *host, struct hostd_domain *domain)
{
	struct hostd_domain **p = &host->ready;

	while (*p && *p != domain)
		p = &(*p)->next_ready;
	if (!*p)
		return;
	*p = domain->next_ready;
	if (!*p)
		host->last_ready = p;
}

static void serve(struct hostd_domain *domain)
{
	unsigned due = domain->due;

	domain->due = 0;
	if (due & (DUE_IO | DUE_SESSION))
		hostd_session_serve(domain, due);
	if (due & DUE_RUN)
		hostd_domain_run(domain);
	if (due & DUE_FEEDBACK)
		hostd_domain_on_feedback(domain);
	hostd_policy_post(domain->host);
}

static void on_work(struct event *event)
{
	struct hostd_model *host = EVENT_OWNER(event, struct hostd_model, work);
	struct hostd_domain *domain = host->ready;

	host->woken = false;
	if (!domain)
		return;
	leave_ready(host, domain);
	serve(domain);
	if (host->ready && !host->woken)
		set_work(host, 0);
}

static void on_timer(struct event *event)
{
	hostd_wake(DOMAIN_OF(event, timer), DUE_RUN);
}

static void on_feedback_timer(struct event *event)
{
	hostd_wake(DOMAIN_OF(event, feedback_timer), DUE_FEEDBACK);
}

static void on_session_timer(struct event *event)
{
	hostd_wake(DOMAIN_OF(event, session_timer), DUE_SESSION);
}

/* -- setting up -- */

/* As topology_read() and host_set_classes(), and choose_cpus() in hostd/actuator.c. */
static bool set_placement(struct hostd_model *host)
{
	const struct kernel_config *kernel = &machine_config(host->machine)->kernel;
	struct topology *topology = calloc(1, sizeof(*topology));

	if (!topology)
		return false;
	for (unsigned i = 0; i < kernel->n_cpus; i++) {
		cpumask_set(&topology->online, i);
		topology->cpu[i].capacity1024 = (uint16_t)kernel->capacity[i];
	}
	topology_classify(topology);
	host->placement.n_classes = MIN(topology->n_classes, PLACEMENT_CLASSES_MAX);
	for (unsigned i = 0; i < host->placement.n_classes; i++)
		host->placement.classes[i] = (struct placement_class){
			.cpus = topology->class[i].cpus,
			.capacity1024 = (uint16_t)topology->class[i].capacity1024};
	host->placement.dwell_usec = host->config.host.placement_dwell_usec;
	host->has_cpus = host->config.host.placement != PLACE_OFF && topology->n_classes > 1 &&
			 !(host->config.host.placement == PLACE_AUTO && kernel->energy_aware);
	free(topology);
	return true;
}

/* As host_set_policies(); floors are set by thread. */
static void set_policies(struct hostd_model *host)
{
	const struct host_config *config = &host->config.host;

	host->peer_config = (struct peer_config){
		.any_port = config->any_port,
		.hello_usec = 2 * USEC_PER_SEC,
		.frame_usec = 2 * USEC_PER_SEC,
		.idle_usec = 30 * USEC_PER_SEC,
		.rate = (uint32_t)config->report_rate,
		.burst = (uint32_t)config->report_rate * 2,
	};
}

struct hostd_model *hostd_model_new(struct queue *queue, struct machine *machine,
				    const struct hostd_config *config, struct arm_figures *figures)
{
	struct hostd_model *host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	host->queue = queue;
	host->machine = machine;
	host->config = *config;
	host->figures = figures;
	host->last_ready = &host->ready;
	host->work.fire = on_work;
	set_policies(host);
	hostd_look_init(host);
	hostd_nudge_init(host);
	if (set_placement(host) && hostd_policy_init(host))
		return host;
	arbiter_free(host->arbiter);
	free(host);
	return NULL;
}

static void free_domain(struct hostd_domain *domain)
{
	struct queue *queue = domain->host->queue;

	queue_set(queue, &domain->timer, SIM_NEVER);
	queue_set(queue, &domain->feedback_timer, SIM_NEVER);
	queue_set(queue, &domain->session_timer, SIM_NEVER);
	free(domain->session.waiting);
	free(domain->written_usec);
	free(domain->demands);
	free(domain->vcpus);
	free(domain);
}

void hostd_model_free(struct hostd_model *host)
{
	if (!host)
		return;
	for (struct hostd_domain *domain = host->domains, *next; domain; domain = next) {
		next = domain->next;
		free_domain(domain);
	}
	queue_set(host->queue, &host->work, SIM_NEVER);
	hostd_look_done(host);
	hostd_nudge_done(host);
	arbiter_free(host->arbiter);
	free(host);
}

/* -- domains -- */

static struct hostd_domain *find(const struct hostd_model *host, const struct vm *vm)
{
	for (struct hostd_domain *domain = host->domains; domain; domain = domain->next)
		if (domain->vm == vm)
			return domain;
	return NULL;
}

static bool allocate(struct hostd_domain *domain)
{
	unsigned n = domain->n_vcpus;

	domain->vcpus = calloc(n, sizeof(*domain->vcpus));
	domain->demands = calloc(n, sizeof(*domain->demands));
	domain->written_usec = calloc((size_t)n * HOSTD_WRITES_KEPT, sizeof(*domain->written_usec));
	return domain->vcpus && domain->demands && domain->written_usec;
}

int hostd_model_add(struct hostd_model *host, struct vm *vm, struct path *path,
		    const struct agent_config *agent)
{
	struct hostd_domain *domain = calloc(1, sizeof(*domain));

	if (!domain)
		return -ENOMEM;
	domain->host = host;
	domain->vm = vm;
	domain->path = path;
	domain->agent = agent;
	domain->n_vcpus = vm_config(vm)->n_vcpus;
	domain->timer.fire = on_timer;
	domain->feedback_timer.fire = on_feedback_timer;
	domain->session_timer.fire = on_session_timer;
	if (!allocate(domain) || !hostd_policy_add(domain)) {
		free_domain(domain);
		return -ENOMEM;
	}
	demand_init(&domain->demand, domain->demands, domain->n_vcpus);
	vcpu_identity_by_number(&domain->identity, domain->n_vcpus, IDENTITY_NO_IDS);
	hostd_domain_find_threads(domain);
	hostd_session_attach(domain);
	domain->next = host->domains;
	host->domains = domain;
	return 0;
}

/* The threads may be gone already: nothing of them is touched. */
void hostd_model_remove(struct hostd_model *host, const struct vm *vm)
{
	struct hostd_domain **p = &host->domains, *domain = find(host, vm);

	if (!domain)
		return;
	while (*p != domain)
		p = &(*p)->next;
	*p = domain->next;
	leave_ready(host, domain);
	hostd_policy_remove(domain);
	free_domain(domain);
}

/* libvirt's event: at once, for the thread that listens to libvirt is another. */
void hostd_model_changed(struct hostd_model *host, const struct vm *vm)
{
	struct hostd_domain *domain = find(host, vm);

	if (domain)
		hostd_domain_update(domain);
}

uint16_t hostd_model_floor(const struct hostd_model *host, const struct vm *vm, unsigned vcpu)
{
	const struct hostd_domain *domain = find(host, vm);

	return domain ? domain->vcpus[vcpu].have.floor1024 : 0;
}

bool hostd_model_has_guest(const struct hostd_model *host, const struct vm *vm)
{
	const struct hostd_domain *domain = find(host, vm);

	return domain && domain->has_hello;
}
