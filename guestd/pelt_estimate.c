/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The eBPF programs' record of a CPU -> its estimate, and when to look at it again. Pure. */
#include "guestd/pelt_estimate.h"

#include "common/macro.h"

/* Rises go out at hostd's own pace; falls are held there anyway. */
#define RISE_USEC  (4 * USEC_PER_MSEC)
#define FALL_USEC  (20 * USEC_PER_MSEC)
#define RISE_SHARE 4U
#define FALL_SHARE 16U
#define SLOWER_MAX 4U

/* Half of the time for which hostd holds a floor. */
#define REST_NSEC (50 * USEC_PER_MSEC * NSEC_PER_USEC)

#define STOLEN_USEC  (100 * USEC_PER_MSEC)
#define STOLEN_PART  3U
#define STOLEN_SHIFT 3U

#define STOLEN_FALL_PART   6U
#define STOLEN_FALL_FACTOR 3U

static uint32_t count_usec(bool primed, uint64_t now_nsec, uint64_t before_nsec)
{
	if (!primed || now_nsec < before_nsec)
		return 0;
	return (uint32_t)MIN((now_nsec - before_nsec) / NSEC_PER_USEC, UINT32_MAX);
}

void pelt_estimate(const struct pelt_record *record, struct pelt_account *account,
		   struct estimate *ret)
{
	uint32_t others = (uint32_t)record->rt1024 + record->dl1024;
	uint32_t util_avg = pelt_step_cut(record->util_avg1024 + others);
	uint32_t util_est = pelt_step_cut(MAX(record->util_est1024, record->util_avg1024) + others);

	*ret = (struct estimate){
		.util_avg = (uint16_t)util_avg,
		.util_est = (uint16_t)util_est,
		.saturated = record->idle_nsec == 0 && util_avg >= PELT_STEP_SATURATED1024,
		.run_delay_usec =
			count_usec(account->primed, record->delay_nsec, account->delay_nsec),
		.steal_usec = count_usec(account->primed, record->steal_nsec, account->steal_nsec),
		.runnable = MIN(record->runnable, PROTO_UNKNOWN_U16 - 1),
		.uclamp_min = record->uclamp_min1024,
		.uclamp_max = record->uclamp_max1024,
	};
	*account = (struct pelt_account){true, record->delay_nsec, record->steal_nsec};
}

/* What an idle CPU has to fall to until it is worth a look. Nothing by one more than it takes: for
 * a rounding there would be a look again. */
static uint32_t low_of(const struct pelt_step *step, uint32_t sent)
{
	uint32_t nothing = (MAX(step->least1024, 1U) - 1U) / 2;
	uint32_t low = MIN(sent / 2, pelt_step_less(sent, step->fall1024));

	return low > 2 * nothing ? low : pelt_step_less(nothing, 1);
}

uint64_t pelt_estimate_fall_nsec(const struct pelt_record *record, const struct pelt_step *step,
				 uint16_t sent1024)
{
	uint64_t nsec;

	if (sent1024 == 0)
		return UINT64_MAX;
	nsec = pelt_record_fall_nsec(pelt_step_wanted(record), low_of(step, sent1024));
	return MAX(nsec, REST_NSEC);
}

/* usec, or `share` times the cost, in steps of it and at most SLOWER_MAX of them. */
static uint64_t interval_usec(uint64_t usec, uint64_t share, uint64_t cost_nsec)
{
	uint64_t steps = cost_nsec / NSEC_PER_USEC * share / usec;

	return usec * CLAMP(steps, 1U, SLOWER_MAX);
}

uint64_t pelt_estimate_rise_usec(uint64_t cost_nsec)
{
	return interval_usec(RISE_USEC, RISE_SHARE, cost_nsec);
}

uint64_t pelt_estimate_fall_usec(uint64_t cost_nsec)
{
	return interval_usec(FALL_USEC, FALL_SHARE, cost_nsec);
}

void pelt_stolen_put(struct pelt_stolen *stolen, uint64_t stolen_usec, uint64_t now_usec)
{
	if (stolen->stamp_usec > 0 && now_usec > stolen->stamp_usec) {
		stolen->passed_usec += now_usec - stolen->stamp_usec;
		stolen->stolen_usec += stolen_usec;
	}
	stolen->stamp_usec = now_usec;
	while (stolen->passed_usec > STOLEN_USEC) {
		stolen->passed_usec /= 2;
		stolen->stolen_usec /= 2;
	}
}

static bool is_stolen(const struct pelt_stolen *stolen, unsigned part)
{
	return stolen->passed_usec > 0 && stolen->stolen_usec * part >= stolen->passed_usec;
}

unsigned pelt_stolen_rise_shift(const struct pelt_stolen *stolen)
{
	return is_stolen(stolen, STOLEN_PART) ? STOLEN_SHIFT : 0;
}

unsigned pelt_stolen_fall_factor(const struct pelt_stolen *stolen)
{
	return is_stolen(stolen, STOLEN_FALL_PART) ? STOLEN_FALL_FACTOR : 1;
}
