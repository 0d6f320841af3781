/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd's eBPF signal without a kernel. */
#include "tests/sim/signal_model.h"

#include "common/macro.h"

struct signal_model {
	unsigned n_cpus;
	uint32_t step1024;
	struct pelt_step step;
	struct pelt_stolen stolen;
	struct pelt_record *record;  /* as the programs leave it */
	struct pelt_record *settled; /* as guestd saw it last */
	struct pelt_account *account;
};

/* As step_of(). */
static struct pelt_step step_of(uint32_t step1024, uint64_t cost_nsec,
				const struct pelt_stolen *stolen)
{
	return (struct pelt_step){
		.rise1024 = (uint16_t)step1024,
		.fall1024 = (uint16_t)MIN(2 * step1024, PELT_STEP_FULL1024),
		.least1024 = reporter_least(step1024),
		.rise_shift = (uint16_t)pelt_stolen_rise_shift(stolen),
		.rise_nsec = (uint32_t)(pelt_estimate_rise_usec(cost_nsec) * NSEC_PER_USEC),
		.fall_nsec = (uint32_t)(pelt_estimate_fall_usec(cost_nsec) *
					pelt_stolen_fall_factor(stolen) * NSEC_PER_USEC),
	};
}

struct signal_model *signal_model_new(unsigned n_cpus, uint32_t step1024)
{
	struct signal_model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	*model = (struct signal_model){
		.n_cpus = n_cpus,
		.step1024 = step1024,
		.step = step_of(step1024, 0, &model->stolen),
		.record = calloc(n_cpus, sizeof(*model->record)),
		.settled = calloc(n_cpus, sizeof(*model->settled)),
		.account = calloc(n_cpus, sizeof(*model->account)),
	};
	if (model->record && model->settled && model->account)
		return model;
	signal_model_free(model);
	return NULL;
}

void signal_model_free(struct signal_model *model)
{
	if (!model)
		return;
	free(model->record);
	free(model->settled);
	free(model->account);
	free(model);
}

struct pelt_record *signal_model_record(struct signal_model *model, unsigned cpu)
{
	return &model->record[cpu];
}

/* As note(), behind fill(). guestd takes what is in the ring at once, so there always is room. */
bool signal_model_note(struct signal_model *model, unsigned cpu, uint64_t now_nsec)
{
	struct pelt_record *record = &model->record[cpu];

	record->stamp_nsec = now_nsec;
	record->sequence += 2;
	if (pelt_step_due(&model->step, record, pelt_step_wanted(record), now_nsec) ==
	    PELT_EVENT_NONE)
		return false;
	record->rung = pelt_step_rung(now_nsec);
	return true;
}

/* As on_idle(). */
void signal_model_idle(struct signal_model *model, unsigned cpu, bool idle, uint64_t now_nsec)
{
	model->record[cpu].idle_nsec = idle ? now_nsec : 0;
}

/* As counters_bpf_read(). */
static int read_record(const struct signal_model *model, unsigned cpu, uint64_t now_nsec,
		       struct pelt_record *ret)
{
	struct pelt_record record;
	int r = pelt_record_read(&model->record[cpu], &record);

	if (r < 0)
		return r;
	pelt_record_settle(&record, now_nsec);
	*ret = record;
	return 0;
}

void signal_model_look(struct signal_model *model, const struct cpumask *cpus,
		       const uint16_t *scale1024, struct reporter *reporter, uint64_t now_nsec)
{
	uint64_t stolen_usec = 0;

	for (unsigned cpu = 0; cpu < model->n_cpus; cpu++) {
		struct pelt_record *record = &model->settled[cpu];
		struct estimate estimate;

		if (!cpumask_has(cpus, cpu))
			continue;
		if (read_record(model, cpu, now_nsec, record) < 0)
			*record = (struct pelt_record){.uclamp_max1024 = PELT_STEP_FULL1024};
		pelt_estimate(record, &model->account[cpu], &estimate);
		stolen_usec += estimate.steal_usec;
		reporter_put(reporter, cpu, &estimate, scale1024[cpu]);
	}
	pelt_stolen_put(&model->stolen, stolen_usec, now_nsec / NSEC_PER_USEC);
}

/* As counters_bpf_sent(). */
static bool tell_sent(struct signal_model *model, unsigned cpu, uint16_t sent, uint64_t now_nsec)
{
	struct pelt_record record;

	pelt_record_sent(&model->record[cpu], sent);
	if (read_record(model, cpu, now_nsec, &record) < 0)
		return false;
	return pelt_step_is_off(&model->step, &record, pelt_step_wanted(&record)) !=
	       PELT_EVENT_NONE;
}

uint64_t signal_model_settle(struct signal_model *model, const struct cpumask *cpus,
			     struct reporter *reporter, uint64_t cost_nsec, uint64_t now_usec)
{
	uint64_t next_usec = reporter_next_usec(reporter), now_nsec = now_usec * NSEC_PER_USEC;
	uint64_t rise_usec = pelt_estimate_rise_usec(cost_nsec);
	uint64_t fall_usec;
	uint64_t usec = next_usec > now_usec ? next_usec - now_usec : rise_usec;
	bool moved = false;

	model->step = step_of(model->step1024, cost_nsec, &model->stolen);
	fall_usec = model->step.fall_nsec / NSEC_PER_USEC;
	reporter_coarsen(reporter, model->step.rise_shift);
	for (unsigned cpu = 0; cpu < model->n_cpus; cpu++) {
		uint16_t sent = reporter_sent(reporter, cpu);
		uint64_t fall_nsec;

		if (!cpumask_has(cpus, cpu))
			continue;
		fall_nsec = pelt_estimate_fall_nsec(&model->settled[cpu], &model->step, sent);
		if (fall_nsec != UINT64_MAX)
			usec = MIN(usec, MAX(fall_nsec / NSEC_PER_USEC, fall_usec));
		moved |= tell_sent(model, cpu, sent, now_nsec);
	}
	return moved ? MIN(usec, rise_usec) : usec;
}
