/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of the daemon that keeps a connection to the host and talks over it. */
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>

#include "common/macro.h"
#include "guestd/guest_private.h"
#include "guestd/identity.h"

#define PSI_USEC     (100 * USEC_PER_MSEC)
#define SETTLED_USEC (500 * USEC_PER_MSEC) /* a connection that lasts this long is a good one */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

bool guest_link_is_streaming(const struct guest *guest)
{
	return guest->dialog->streaming;
}

bool guest_link_is_tended(const struct guest *guest)
{
	sd_event_source *source =
		uplink_state(guest->uplink) == UPLINK_DOWN ? guest->retry_source : guest->io_source;

	return source && sd_event_source_get_enabled(source, NULL) > 0;
}

/* Whether it is news that the connection is so; then it is the STATUS, too. */
static bool take_link(struct guest *guest, enum link link, const char *text)
{
	if (guest->link == link && strcmp(guest->link_text, text) == 0)
		return false;
	guest->link = link;
	snprintf(guest->link_text, sizeof(guest->link_text), "%s", text);
	guest_bus_news(guest->bus, GUEST_NEWS_CONNECTION);
	sd_notifyf(false, "STATUS=%s", text);
	return true;
}

static void log_streaming(struct guest *guest)
{
	char text[sizeof(guest->link_text)];

	snprintf(text, sizeof(text), "streaming to CID %u port %u (%s), signal %s, cpufreq %s",
		 (unsigned)guest->config.cid, (unsigned)guest->config.port, guest->dialog->agent,
		 hello_signal_name(guest_signal(guest)),
		 hello_cpufreq_name(guest_cpufreq_state(guest)));
	if (take_link(guest, LINK_GOOD, text))
		log_event_limited(&guest->link_limit, guest_now_usec(), LOG_INFO,
				  EVENT_HOST_CONNECTED,
				  LOG_FIELDS(.cid = (uint32_t)guest->config.cid), "%s", text);
}

/* link: LINK_LOST, or LINK_REFUSED. A host that refuses us is tried for ever, and that said once.
 */
static void log_lost(struct guest *guest, enum link link, const char *reason)
{
	char text[sizeof(guest->link_text)];

	snprintf(text, sizeof(text), "not connected to CID %u port %u: %s",
		 (unsigned)guest->config.cid, (unsigned)guest->config.port, reason);
	if (take_link(guest, link, text))
		log_event_limited(&guest->link_limit, guest_now_usec(), LOG_NOTICE,
				  link == LINK_REFUSED ? EVENT_HOST_REFUSES : EVENT_HOST_LOST,
				  LOG_FIELDS(.cid = (uint32_t)guest->config.cid, .reason = reason),
				  "%s", text);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

static void retry_after(struct guest *guest, uint64_t usec)
{
	sd_event_source_set_time_relative(guest->retry_source, usec);
	sd_event_source_set_enabled(guest->retry_source, SD_EVENT_ONESHOT);
}

static void hang_up(struct guest *guest)
{
	uint64_t now_usec = guest_now_usec();

	if (guest_link_is_streaming(guest) && now_usec - guest->streaming_usec >= SETTLED_USEC)
		backoff_reset(&guest->backoff);
	guest->io_source = sd_event_source_unref(guest->io_source);
	uplink_close(guest->uplink);
	dialog_start(guest->dialog, now_usec); /* no longer streaming */
	governor_reset(&guest->governor);
	guest_cpufreq_govern(guest, now_usec);
}

/* Hangs up and tries again after a while. */
static void give_up(struct guest *guest)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)guest_now_usec();
	hang_up(guest);
	retry_after(guest, backoff_next_usec(&guest->backoff, random));
}

static void update_events(struct guest *guest)
{
	if (guest->io_source)
		sd_event_source_set_io_events(guest->io_source, uplink_events(guest->uplink));
}

/* Sends a frame of r bytes, as a _put() function left it in uplink_space(); r < 0 is its error. */
static int send_frame(struct guest *guest, int r)
{
	if (r >= 0)
		r = uplink_send(guest->uplink, (size_t)r, guest_now_usec());
	update_events(guest);
	return r;
}

/* The host can't be spoken with: says why, if there is room, and hangs up. */
static void say_bye(struct guest *guest, enum bye_code code, const char *text)
{
	const size_t size = FRAME_HEADER + 4 + PROTO_TEXT_MAX;
	uint8_t *space = NULL;

	if (uplink_state(guest->uplink) == UPLINK_UP)
		space = uplink_space(guest->uplink, size);
	if (space)
		send_frame(guest, bye_put(space, size, code, text));
}

static int send_hello(struct guest *guest)
{
	struct message_hello *hello = guest->hello;
	uint8_t *space = uplink_space(guest->uplink, FRAME_MAX);
	int r;

	*hello = (struct message_hello){
		.major = PROTO_MAJOR,
		.minor = PROTO_MINOR,
		.fields = 1U << HELLO_CPUS | 1U << HELLO_SIGNAL | 1U << HELLO_INVARIANT |
			  1U << HELLO_BOOT_ID | 1U << HELLO_AGENT | 1U << HELLO_CPUFREQ,
		.signal = guest_signal(guest),
		.cpufreq = guest_cpufreq_state(guest),
	};
	hello->invariant = guest_cpufreq_is_followed(guest);
	snprintf(hello->agent, sizeof(hello->agent), "vmfreq-guestd %s", PACKAGE_VERSION);
	identity_read_cpus(guest->options.root_fd, &guest->cpus, hello);
	guest->hello_cpus = guest->cpus;
	r = identity_read_boot_id(guest->options.root_fd, hello->boot_id);
	if (r < 0)
		log_debug("no boot id: %s", strerror(-r));
	guest->hello_sent = true;
	return send_frame(guest, hello_put(space, FRAME_MAX, hello));
}

static void start_streaming(struct guest *guest, uint64_t now_usec)
{
	uint64_t lease_usec = guest->dialog->lease_max_msec * USEC_PER_MSEC;

	guest->streaming_usec = now_usec;
	reporter_configure(guest->reporter, MIN(guest->config.lease_usec, lease_usec),
			   (uint32_t)guest->config.step1024);
	guest->psi_read_usec = 0;
	guest->notice_due = guest->notice.concerns != 0;
	reporter_restart(guest->reporter, now_usec);
	log_streaming(guest);
	guest_tick(guest);
}

/* The host said BYE. Where it would only say so again, try as rarely as we do at all. */
static void take_bye(struct guest *guest, const struct message_bye *bye)
{
	bool refuses = bye->code == BYE_VERSION || bye->code == BYE_REFUSED ||
		       bye->code == BYE_REPLACED || bye->code == BYE_FLOOD;
	char reason[PROTO_TEXT_MAX + 64];

	snprintf(reason, sizeof(reason), "the host said %s%s%s", bye_code_name(bye->code),
		 *bye->text ? ": " : "", bye->text);
	log_lost(guest, refuses ? LINK_REFUSED : LINK_LOST, reason);
	hang_up(guest);
	if (refuses)
		backoff_max(&guest->backoff);
	give_up(guest);
}

static void take_version(struct guest *guest)
{
	char text[128];

	snprintf(text, sizeof(text), "the host speaks version %u.%u, we speak %u.%u",
		 guest->dialog->peer_major, guest->dialog->peer_minor, PROTO_MAJOR, PROTO_MINOR);
	log_lost(guest, LINK_REFUSED, text);
	say_bye(guest, BYE_VERSION, text);
	hang_up(guest);
	backoff_max(&guest->backoff);
	give_up(guest);
}

static void take_bad(struct guest *guest, const char *what)
{
	log_lost(guest, LINK_LOST, what);
	say_bye(guest, BYE_PROTOCOL, what);
	give_up(guest);
}

/* Whether the connection is still there afterwards. */
static bool take_frame(struct guest *guest, const struct frame *frame, uint64_t now_usec)
{
	governor_hear(&guest->governor, now_usec);
	switch (dialog_frame(guest->dialog, frame, now_usec)) {
	case DIALOG_STREAMING:
		start_streaming(guest, now_usec);
		return uplink_state(guest->uplink) == UPLINK_UP;
	case DIALOG_WANTS:
		reporter_mute(guest->reporter, guest->dialog->quiet);
		guest_tick(guest);
		return uplink_state(guest->uplink) == UPLINK_UP;
	case DIALOG_FEEDBACK:
		guest->feedbacks++;
		guest_cpufreq_feed(guest, &guest->dialog->message.feedback, now_usec);
		return true;
	case DIALOG_BYE:
		take_bye(guest, &guest->dialog->message.bye);
		return false;
	case DIALOG_VERSION:
		take_version(guest);
		return false;
	case DIALOG_BAD:
		take_bad(guest, "the host sent a frame that the protocol doesn't allow");
		return false;
	default:
		return true;
	}
}

/* Whether the connection is still there afterwards. */
static bool take_frames(struct guest *guest, uint64_t now_usec)
{
	struct frame frame;
	int r;

	while ((r = uplink_next(guest->uplink, &frame)) > 0)
		if (!take_frame(guest, &frame, now_usec))
			return false;
	if (r < 0)
		take_bad(guest, "the host sent something that is no frame");
	return r == 0;
}

static int on_io(_unused_ sd_event_source *source, _unused_ int fd, uint32_t events, void *userdata)
{
	struct guest *guest = userdata;
	uint64_t now_usec = guest_now_usec();
	int r = uplink_serve(guest->uplink, events, now_usec);

	if (uplink_state(guest->uplink) == UPLINK_UP && !guest->hello_sent) {
		int sent;

		dialog_start(guest->dialog, now_usec);
		sent = send_hello(guest);
		r = r < 0 ? r : sent;
	}
	/* Frames first: the last of them may say why the connection has ended. */
	if (uplink_state(guest->uplink) == UPLINK_UP && !take_frames(guest, now_usec))
		return 0;
	if (r < 0) {
		log_lost(guest, LINK_LOST, strerror(-r));
		give_up(guest);
		return 0;
	}
	update_events(guest);
	return 0;
}

static void connect_now(struct guest *guest)
{
	int r = uplink_connect(guest->uplink, (uint32_t)guest->config.cid,
			       (uint32_t)guest->config.port, guest_now_usec());

	guest->hello_sent = false;
	if (r >= 0)
		r = sd_event_add_io(guest->event, &guest->io_source, uplink_fd(guest->uplink),
				    uplink_events(guest->uplink), on_io, guest);
	if (r < 0) {
		log_lost(guest, LINK_LOST, strerror(-r));
		give_up(guest);
	}
}

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	connect_now(userdata);
	return 0;
}

int guest_link_init(struct guest *guest)
{
	int r;

	guest->dialog = calloc(1, sizeof(*guest->dialog));
	guest->hello = calloc(1, sizeof(*guest->hello));
	guest->uplink = uplink_new(guest->options.open, guest->options.open_userdata);
	if (!guest->dialog || !guest->hello || !guest->uplink)
		return -ENOMEM;
	guest->link_limit = (struct ratelimit){.interval_usec = 60 * USEC_PER_SEC, .burst = 10};
	r = sd_event_add_time_relative(guest->event, &guest->retry_source, CLOCK_MONOTONIC, 0,
				       10 * USEC_PER_MSEC, on_retry, guest);
	return r < 0 ? r : 0;
}

void guest_link_done(struct guest *guest)
{
	if (guest->uplink && guest->dialog && guest_link_is_streaming(guest))
		say_bye(guest, BYE_SHUTDOWN, "");
	guest->io_source = sd_event_source_unref(guest->io_source);
	guest->retry_source = sd_event_source_unref(guest->retry_source);
	uplink_free(guest->uplink);
	free(guest->dialog);
	free(guest->hello);
}

void guest_link_renew(struct guest *guest, const char *reason)
{
	if (uplink_state(guest->uplink) == UPLINK_DOWN)
		return; /* a try is due anyway */
	log_info("connecting anew: %s", reason);
	say_bye(guest, BYE_SHUTDOWN, reason);
	hang_up(guest);
	retry_after(guest, 0);
}

void guest_link_check(struct guest *guest, uint64_t now_usec)
{
	if (uplink_state(guest->uplink) == UPLINK_DOWN)
		return;
	if (uplink_is_stalled(guest->uplink, now_usec)) {
		log_lost(guest, LINK_LOST,
			 uplink_state(guest->uplink) == UPLINK_UP ? "the host takes nothing"
								  : "no answer");
		give_up(guest);
	} else if (uplink_state(guest->uplink) == UPLINK_UP &&
		   dialog_check(guest->dialog, now_usec) == DIALOG_TIMEOUT) {
		log_lost(guest, LINK_LOST, "the host is silent");
		say_bye(guest, BYE_TIMEOUT, "silent");
		give_up(guest);
	}
}

static int send_report(struct guest *guest, uint64_t stamp_usec, uint64_t now_usec)
{
	struct message_report report;
	uint8_t *space = uplink_space(guest->uplink, REPORT_FRAME_MAX);

	reporter_build(guest->reporter, now_usec, &report, guest->records);
	report.stamp_usec = stamp_usec;
	/* Three files cost as much as all the rest, and pressure says nothing in less than this. */
	if (now_usec - guest->psi_read_usec >= PSI_USEC) {
		guest->psi_read_usec = now_usec;
		report.psi_fields = counters_proc_read_psi(guest->proc, report.psi_usec);
	}
	guest->reports++;
	return send_frame(guest, report_put(space, REPORT_FRAME_MAX, &report, guest->records));
}

/* The set and all: the host keeps the last. */
static int send_notice(struct guest *guest)
{
	uint8_t *space = uplink_space(guest->uplink, NOTICE_FRAME_MAX);

	guest->notice_due = false;
	return send_frame(guest, notice_put(space, NOTICE_FRAME_MAX, &guest->notice));
}

static int send_ping(struct guest *guest, uint64_t now_usec)
{
	uint8_t *space = uplink_space(guest->uplink, FRAME_MAX);

	reporter_pinged(guest->reporter, now_usec);
	return send_frame(guest, ping_put(space, FRAME_MAX, now_usec));
}

static int send_due(struct guest *guest, uint64_t stamp_usec, uint64_t now_usec)
{
	switch (reporter_decide(guest->reporter, now_usec)) {
	case REPORTER_REPORT:
		return send_report(guest, stamp_usec, now_usec);
	case REPORTER_PING:
		return send_ping(guest, now_usec);
	default:
		return 0;
	}
}

void guest_link_report(struct guest *guest, uint64_t stamp_usec, uint64_t now_usec)
{
	int r = 0;

	/* While something waits there is no room promised, and what we'd say would be old. */
	if (!guest_link_is_streaming(guest) || !uplink_is_clear(guest->uplink))
		return;
	if (guest->notice_due)
		r = send_notice(guest);
	if (r >= 0 && uplink_is_clear(guest->uplink))
		r = send_due(guest, stamp_usec, now_usec);
	if (r < 0) {
		log_lost(guest, LINK_LOST, strerror(-r));
		give_up(guest);
	}
}
