/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of the host itself takes the use out of floors: said in the log when it comes and goes, and
 * in every status. */
#include "hostd/host_private.h"

#include "hostd/concern.h"

static void log_concern(const struct host *host, unsigned concern)
{
	const char *text = concern_text(concern, 0);
	bool is_there = host->concerns & CONCERN_BIT(concern);

	log_event(is_there ? LOG_NOTICE : LOG_INFO, is_there ? EVENT_CONCERN : EVENT_CONCERN_GONE,
		  LOG_FIELDS(.reason = text), "%s: %s%s", concern_name(concern),
		  is_there ? "" : "this is over: ", text);
}

void host_look(struct host *host)
{
	struct concern_facts *facts = &host->concern_facts;
	uint64_t old = host->concerns;

	*facts = (struct concern_facts){.sched_ext = host->topology->sched_ext};
	ladder_governors(host->topology, &facts->governors);
	actuator_floor_problems(host->actuator, host->topology, &facts->taken, &facts->failed);
#ifdef ENABLE_TESTING
	facts->testing_listener = host->testing;
#endif
	host->concerns = concern_of_host(facts);
	for (unsigned i = 0; i < CONCERN_N; i++)
		if ((old ^ host->concerns) & CONCERN_BIT(i))
			log_concern(host, i);
	for (size_t i = 0; i < host->n_domains; i++)
		domain_look(host->domains[i]);
}
