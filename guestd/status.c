/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guestd knows and does, in words and as one JSON document. */
#include "guestd/status.h"

#include <string.h>

#include "common/json.h"
#include "common/macro.h"
#include "config.h"
#include "guestd/concern.h"
#include "guestd/guest_private.h"

/* Of some policies: why those aren't ours. */
static const char *others_reason(const struct guest *guest)
{
	if (cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_VIRT) > 0)
		return "virt-cpufreq tells the VMM what this guest wants";
	if (cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_THEIRS) > 0)
		return "somebody else has set another governor";
	if (cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_NEVER) > 0)
		return "they have no userspace governor, or refuse it";
	return "they couldn't be taken yet: the log says why";
}

void guest_status_cpufreq(const struct guest *guest, char *ret, size_t size)
{
	unsigned n = cpufreq_count(guest->cpufreq);
	unsigned ours = cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_OURS);

	if (guest->options.dry_run)
		snprintf(ret, size, "a dry run leaves cpufreq alone");
	else if (!guest->config.cpufreq)
		snprintf(ret, size, "the settings say cpufreq = no");
	else if (n == 0)
		snprintf(ret, size, "this guest has no cpufreq");
	else if (guest->cpufreq_off)
		snprintf(ret, size, "what an earlier run wrote to /%s can't be given back",
			 CPUFREQ_STATE);
	else if (guest->take_error < 0)
		snprintf(ret, size, "what stands there can't be written down in /%s: %s",
			 CPUFREQ_STATE, strerror(-guest->take_error));
	else if (ours == n)
		snprintf(ret, size, "the userspace governor is set in all %u policies", n);
	else
		snprintf(ret, size, "the userspace governor is set in %u of %u policies: %s", ours,
			 n, others_reason(guest));
}

static void add_link(struct json_object *to, const struct guest *guest)
{
	json_add_flag(to, "connected", guest_link_is_streaming(guest));
	json_add_text(to, "connection", guest->link_text);
	json_add_text(to, "host_agent", guest_link_is_streaming(guest) ? guest->dialog->agent : "");
	json_add_number(to, "reports", guest->reports);
	json_add_number(to, "feedbacks", guest->feedbacks);
}

static void add_cpufreq(struct json_object *to, const struct guest *guest)
{
	char reason[160];

	guest_status_cpufreq(guest, reason, sizeof(reason));
	json_add_text(to, "cpufreq", hello_cpufreq_name(guest_cpufreq_state(guest)));
	json_add_text(to, "cpufreq_reason", reason);
}

static void add_concerns(struct json_object *to, const struct guest *guest)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; NOTICE_KNOWN >> i; i++)
		if (guest->notice.concerns & UINT32_C(1) << i)
			json_append_concern(list, notice_concern_name(i),
					    concern_explain(i, counters_proc_lacks(guest->proc)),
					    i == NOTICE_SCHED_EXT ? guest->notice.scheduler : "");
	json_object_object_add(to, "concerns", list);
}

/* The speed that we have set for a CPU, in kHz; 0 if we haven't. */
static uint32_t speed_of(const struct guest *guest, unsigned cpu)
{
	for (unsigned i = 0; i < cpufreq_count(guest->cpufreq); i++) {
		const struct cpufreq_policy *policy = cpufreq_policy(guest->cpufreq, i);

		if (policy->hold == CPUFREQ_HOLD_OURS && cpumask_has(&policy->can.cpus, cpu))
			return policy->state.written_khz;
	}
	return 0;
}

static struct json_object *cpu_json(const struct guest *guest, unsigned cpu)
{
	struct json_object *object = json_object_new_object();
	const struct estimate *estimate = &guest->estimate[cpu];

	json_add_number(object, "cpu", cpu);
	json_add_number(object, "util_avg", estimate->util_avg);
	json_add_number(object, "util_est", estimate->util_est);
	json_add_flag(object, "saturated", estimate->saturated);
	if (guest->governor.valid && guest->governor.delivered1024[cpu] > 0)
		json_add_number(object, "delivered", guest->governor.delivered1024[cpu]);
	if (speed_of(guest, cpu) > 0)
		json_add_number(object, "khz", speed_of(guest, cpu));
	return object;
}

struct json_object *guest_status_json(const struct guest *guest)
{
	struct json_object *status = json_object_new_object();
	struct json_object *cpus = json_object_new_array();
	char reason[160];

	json_add_text(status, "version", PACKAGE_VERSION);
	json_add_flag(status, "dry_run", guest->options.dry_run);
	add_link(status, guest);
	guest_signal_reason(guest, reason, sizeof(reason));
	json_add_text(status, "signal", hello_signal_name(guest_signal(guest)));
	json_add_text(status, "signal_reason", reason);
	add_cpufreq(status, guest);
	add_concerns(status, guest);
	json_add_text(status, "config_error", guest_config_error(guest));
	CPUMASK_FOREACH(cpu, &guest->cpus)
		json_object_array_add(cpus, cpu_json(guest, cpu));
	json_object_object_add(status, "cpus", cpus);
	return status;
}
