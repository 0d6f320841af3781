/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's guests: who may connect, whose a connection is, and what its session says to the domain.
 */
#include "hostd/host_private.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "common/macro.h"
#include "hostd/listener.h"
#include "hostd/testing.h"

#define SESSIONS_MAX	   4096U
#define ACCEPTS_PER_WAKEUP 32U
/* A connection that can't be taken stays in the queue and would wake us at once again. */
#define WAKEUPS_MAX	  10U
#define WAKEUPS_EACH_USEC (100 * USEC_PER_MSEC)

/* A connection, and whose it is. */
struct caller {
	struct host *host;
	struct session *session;
	struct domain *domain;
	uint32_t cid, port;
	struct caller *next;
};

/* Takes a caller off the list and frees it; its session is ended or over already. */
static void drop_caller(struct caller *caller)
{
	struct host *host = caller->host;

	for (struct caller **p = &host->callers; *p; p = &(*p)->next)
		if (*p == caller) {
			*p = caller->next;
			host->n_callers--;
			break;
		}
	if (caller->domain && caller->domain->session == caller->session)
		domain_silent(caller->domain);
	free(caller);
	host_notify_status(host);
}

static void hang_up(struct caller *caller, enum bye_code code, const char *reason)
{
	struct session *session = caller->session;

	drop_caller(caller);
	session_end(session, code, reason);
}

static uint64_t now_of(const struct host *host)
{
	uint64_t now_usec = 0;

	sd_event_now(host->event, CLOCK_MONOTONIC, &now_usec);
	return now_usec;
}

/* A guest has one connection that counts. A newer one that has greeted is proof that the older is
 * dead; one that hasn't yet proves nothing, and replaces only another such. */
static void replace_older(struct host *host, const struct domain *domain,
			  const struct caller *newer, bool greeted)
{
	for (struct caller *caller = host->callers, *next; caller; caller = next) {
		next = caller->next;
		if (caller == newer || caller->domain != domain ||
		    (session_peer(caller->session)->greeted && !greeted))
			continue;
		host->counts.closed_by_code[BYE_REPLACED]++;
		log_event_limited(&caller->domain->link_log, now_of(host), LOG_NOTICE,
				  EVENT_GUEST_REPLACED, LOG_DOMAIN(caller->domain),
				  "%s: a newer connection of CID %" PRIu32 " replaces an older",
				  caller->domain->info.name, caller->cid);
		hang_up(caller, BYE_REPLACED, "a newer connection of the same guest");
	}
}

static void log_hello(struct host *host, const struct caller *caller,
		      const struct message_hello *hello)
{
	struct domain *domain = caller->domain;
	char misfit[64];

	log_event_limited(&domain->link_log, now_of(host), LOG_INFO, EVENT_GUEST_CONNECTED,
			  LOG_DOMAIN(domain),
			  "%s: %s reports over CID %" PRIu32 " (signal %s, cpufreq %s, %u CPUs)",
			  domain->info.name, hello->agent, caller->cid,
			  hello_signal_name(hello->signal), hello_cpufreq_name(hello->cpufreq),
			  hello->n_cpus);
	if (hello->n_cpus <= domain->info.n_vcpus)
		return;
	snprintf(misfit, sizeof(misfit), "it names %u CPUs, but the domain has %u", hello->n_cpus,
		 domain->info.n_vcpus);
	log_event_limited(&domain->link_log, now_of(host), LOG_WARNING, EVENT_GUEST_MISFIT,
			  LOG_DOMAIN(domain, .reason = misfit),
			  "%s: its guest isn't what the domain is: %s; the others are ignored",
			  domain->info.name, misfit);
}

static void on_hello(void *userdata, struct session *session, const struct message_hello *hello)
{
	static uint8_t frame[FRAME_HEADER + 512];
	struct caller *caller = userdata;
	struct host *host = caller->host;
	struct message_hello reply = {
		.major = PROTO_MAJOR,
		.minor = PROTO_MINOR,
		.fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
		.lease_max_msec = (uint32_t)(host->config.lease_max_usec / USEC_PER_MSEC),
		.agent = "vmfreq-hostd " HOSTD_VERSION,
	};
	int size = hello_put(frame, sizeof(frame), &reply);

	replace_older(host, caller->domain, caller, true);
	if (size > 0)
		session_send(session, frame, (size_t)size);
	if (domain_greet(caller->domain, session, hello) < 0)
		log_error("%s: no memory for its guest", caller->domain->info.name);
	log_hello(host, caller, hello);
	host_notify_status(host);
}

/* What a guest says, as it is received, a line for each record: for who measures the signal
 * (tests/bench/signal). Only at level debug; dropped lines are counted in the next that passes. */
static void log_report(struct domain *domain, const struct message_report *report,
		       uint64_t now_usec)
{
	if (!log_takes(LOG_DEBUG))
		return;
	for (unsigned i = 0; i < report->n_vcpus; i++) {
		struct report_vcpu vcpu;

		report_vcpu(report, i, &vcpu);
		log_event_limited(&domain->report_log, now_usec, LOG_DEBUG, NULL, LOG_FIELDS(),
				  "%s: report %" PRIu32 " of CID %" PRIu32 " came at %" PRIu64
				  " us, sampled at %" PRIu64 " us: CPU %u util_avg %u util_est %u",
				  domain->info.name, report->sequence, domain->info.cid, now_usec,
				  report->stamp_usec, vcpu.cpu, vcpu.util_avg, vcpu.util_est);
	}
}

static void on_report(void *userdata, _unused_ struct session *session,
		      const struct message_report *report, uint64_t now_usec)
{
	struct caller *caller = userdata;

	log_report(caller->domain, report, now_usec);
	domain_report(caller->domain, report, now_usec);
}

static void on_notice(void *userdata, _unused_ struct session *session,
		      const struct message_notice *notice)
{
	struct caller *caller = userdata;

	domain_notice(caller->domain, notice);
}

static void on_closed(void *userdata, struct session *session, enum bye_code code,
		      const char *reason)
{
	struct caller *caller = userdata;
	struct host *host = caller->host;

	host->counts.closed_by_code[code < ARRAY_SIZE(host->counts.closed_by_code) ? code : 0]++;
	log_event_limited(&caller->domain->link_log, now_of(host), code ? LOG_WARNING : LOG_INFO,
			  EVENT_GUEST_DISCONNECTED, LOG_DOMAIN(caller->domain, .reason = reason),
			  "%s: the connection of CID %" PRIu32 " is closed: %s",
			  caller->domain->info.name, caller->cid, reason);
	drop_caller(caller);
	session_end(session, code, reason);
}

static const struct session_events session_events = {on_hello, on_report, on_notice, on_closed};

/* The domain that a CID is of. */
static struct domain *domain_of_cid(struct host *host, uint32_t cid)
{
	const struct inventory_domain *info =
		host->inventory ? inventory_by_cid(host->inventory, cid) : NULL;

	for (size_t i = 0; info && i < host->n_domains; i++)
		if (inventory_same_start(&host->domains[i]->info, info))
			return host->domains[i];
	return NULL;
}

/* Says no to a peer, in its log and in ours, without keeping anything of it. All whose domain we
 * don't know share one limit: else they could have any number of them. */
static void refuse(struct host *host, struct domain *domain, int fd, uint32_t cid, uint32_t port,
		   const char *reason)
{
	uint8_t frame[FRAME_HEADER + 4 + PROTO_TEXT_MAX];
	int size = bye_put(frame, sizeof(frame), BYE_REFUSED, reason);

	if (size > 0 && send(fd, frame, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		size = 0;
	close(fd);
	log_event_limited(domain ? &domain->link_log : &host->refusal_log, now_of(host),
			  LOG_WARNING, EVENT_GUEST_REFUSED,
			  LOG_FIELDS(.domain = domain ? domain->info.name : NULL, .cid = cid,
				     .reason = reason),
			  "refused: CID %" PRIu32 " port %" PRIu32 ": %s", cid, port, reason);
}

void host_take_connection(struct host *host, int fd, uint32_t cid, uint32_t port)
{
	struct domain *domain = domain_of_cid(host, cid);
	const char *reason = peer_refusal(&host->peer_config, cid, port, domain != NULL);
	struct caller *caller;

	host->counts.accepted++;
	if (reason) {
		if (domain)
			host->counts.refused_port++;
		else
			host->counts.refused_cid++;
		refuse(host, domain, fd, cid, port, reason);
		return;
	}
	replace_older(host, domain, NULL, false);
	caller = host->n_callers < SESSIONS_MAX ? calloc(1, sizeof(*caller)) : NULL;
	if (!caller || session_new(host->event, fd, &host->peer_config, &session_events, caller,
				   &caller->session) < 0) {
		free(caller);
		host->counts.refused_full++;
		refuse(host, domain, fd, cid, port, "no room for another connection");
		return;
	}
	caller->host = host;
	caller->domain = domain;
	caller->cid = cid;
	caller->port = port;
	caller->next = host->callers;
	host->callers = caller;
	host->n_callers++;
}

static int on_listen(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents,
		     void *userdata)
{
	struct host *host = userdata;
	int peer = 0;

	for (unsigned i = 0; peer >= 0 && i < ACCEPTS_PER_WAKEUP; i++) {
		uint32_t cid, port;

		peer = listener_accept(fd, &cid, &port);
		if (peer >= 0)
			host_take_connection(host, peer, cid, port);
	}
	if (peer == -EMFILE || peer == -ENFILE)
		log_event_limited(
			&host->refusal_log, now_of(host), LOG_WARNING, NULL,
			LOG_FIELDS(.reason = "no descriptors left"),
			"a guest waits, for no descriptors are left: %s; see LimitNOFILE= "
			"in systemd.exec(5)",
			strerror(-peer));
	return 0;
}

int host_listen_on(struct host *host, int fd)
{
	int r = sd_event_add_io(host->event, &host->listen_source, fd, EPOLLIN, on_listen, host);

	return r < 0 ? r
		     : sd_event_source_set_ratelimit(host->listen_source, WAKEUPS_EACH_USEC,
						     WAKEUPS_MAX);
}

void host_hang_up_all(struct host *host)
{
	while (host->callers)
		hang_up(host->callers, BYE_SHUTDOWN, "vmfreq-hostd stops");
}

void host_hang_up_domain(struct host *host, const struct domain *domain, const char *reason)
{
	for (struct caller *caller = host->callers, *next; caller; caller = next) {
		next = caller->next;
		if (caller->domain == domain)
			hang_up(caller, BYE_SHUTDOWN, reason);
	}
}
