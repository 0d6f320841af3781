/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated guestd keeps a connection to the host and talks over it. As guestd/guest_link.c;
 * what guestd/uplink.c does is path_model.h's here, which never is full. */
#include <string.h>

#include "common/macro.h"
#include "tests/sim/guestd_model_private.h"

#define SETTLED_USEC	    (500 * USEC_PER_MSEC) /* as there */
#define RETRY_ACCURACY_USEC (10 * USEC_PER_MSEC)

/* As hang_up(). */
static void hang_up(struct guestd_model *model)
{
	uint64_t now_usec = guestd_now_usec(model);

	if (model->dialog.streaming && now_usec - model->streaming_usec >= SETTLED_USEC)
		backoff_reset(&model->backoff);
	path_close(model->world.path, PATH_GUEST);
	model->state = UPLINK_DOWN;
	model->came_up = model->went_down = false;
	frame_decoder_init(&model->decoder);
	dialog_start(&model->dialog, now_usec);
	governor_reset(&model->governor);
	guestd_cpufreq_govern(model, now_usec);
}

static void retry_after(struct guestd_model *model, uint64_t usec)
{
	daemon_set_timer(model->world.queue, &model->retry, guestd_now_usec(model) + usec,
			 RETRY_ACCURACY_USEC);
}

/* As give_up(). */
static void give_up(struct guestd_model *model)
{
	hang_up(model);
	retry_after(model, backoff_next_usec(&model->backoff, (uint32_t)dice_u64(&model->dice)));
}

/* As send_frame(). */
static int send_frame(struct guestd_model *model, const uint8_t *frame, int r)
{
	if (r >= 0) {
		model->world.figures->bytes += (uint64_t)r;
		r = path_send(model->world.path, PATH_GUEST, frame, (size_t)r);
	}
	return r;
}

static void say_bye(struct guestd_model *model, enum bye_code code, const char *text)
{
	uint8_t frame[FRAME_HEADER + 4 + PROTO_TEXT_MAX];

	if (model->state == UPLINK_UP)
		send_frame(model, frame, bye_put(frame, sizeof(frame), code, text));
}

/* As send_hello(). The CPUs have no ids, so hostd takes their numbers: it has no libvirt XML to
 * know better. */
static int send_hello(struct guestd_model *model)
{
	static struct message_hello hello;
	static uint8_t frame[FRAME_MAX];

	hello = (struct message_hello){
		.major = PROTO_MAJOR,
		.minor = PROTO_MINOR,
		.fields = 1U << HELLO_CPUS | 1U << HELLO_SIGNAL | 1U << HELLO_INVARIANT |
			  1U << HELLO_BOOT_ID | 1U << HELLO_AGENT | 1U << HELLO_CPUFREQ,
		.signal = guestd_signal(model),
		.cpufreq = model->speed_state ? CPUFREQ_OURS : CPUFREQ_NONE,
		.invariant = model->speed_state || vm_config(model->world.vm)->counts,
		.boot_id = {1},
		.agent = "vmfreq-guestd in the simulator",
	};
	CPUMASK_FOREACH(cpu, &model->cpus)
		hello.cpu[hello.n_cpus++] = (struct hello_cpu){cpu, UINT64_MAX};
	model->hello_cpus = model->cpus;
	model->hello_sent = true;
	return send_frame(model, frame, hello_put(frame, sizeof(frame), &hello));
}

/* As start_streaming(). */
static void start_streaming(struct guestd_model *model, uint64_t now_usec)
{
	model->streaming_usec = now_usec;
	reporter_configure(model->reporter, guestd_lease_usec(model),
			   (uint32_t)model->config.guest.step1024);
	reporter_restart(model->reporter, now_usec);
	guestd_tick(model);
}

/* As take_bye(). */
static void take_bye(struct guestd_model *model, const struct message_bye *bye)
{
	bool refuses = bye->code == BYE_VERSION || bye->code == BYE_REFUSED ||
		       bye->code == BYE_REPLACED || bye->code == BYE_FLOOD;

	hang_up(model);
	if (refuses)
		backoff_max(&model->backoff);
	give_up(model);
}

static void take_bad(struct guestd_model *model, const char *what)
{
	say_bye(model, BYE_PROTOCOL, what);
	give_up(model);
}

/* As take_frame(): whether the connection is still there afterwards. */
static bool take_frame(struct guestd_model *model, const struct frame *frame, uint64_t now_usec)
{
	governor_hear(&model->governor, now_usec);
	switch (dialog_frame(&model->dialog, frame, now_usec)) {
	case DIALOG_STREAMING:
		start_streaming(model, now_usec);
		return model->state == UPLINK_UP;
	case DIALOG_WANTS:
		reporter_mute(model->reporter, model->dialog.quiet);
		guestd_tick(model);
		return model->state == UPLINK_UP;
	case DIALOG_FEEDBACK:
		governor_feed(&model->governor, &model->dialog.message.feedback, now_usec);
		guestd_cpufreq_govern(model, now_usec);
		return true;
	case DIALOG_BYE:
		take_bye(model, &model->dialog.message.bye);
		return false;
	case DIALOG_VERSION: /* it can't be here: both sides are of one tree */
	case DIALOG_BAD:
		take_bad(model, "the host sent a frame that the protocol doesn't allow");
		return false;
	default:
		return true;
	}
}

/* As take_frames(). */
static bool take_frames(struct guestd_model *model, uint64_t now_usec)
{
	struct frame frame;
	int r;

	while ((r = frame_decoder_next(&model->decoder, &frame)) > 0)
		if (!take_frame(model, &frame, now_usec))
			return false;
	if (r < 0)
		take_bad(model, "the host sent something that is no frame");
	return r == 0;
}

void guestd_link_serve(struct guestd_model *model)
{
	uint64_t now_usec = guestd_now_usec(model);

	if (model->came_up) {
		model->came_up = false;
		model->state = UPLINK_UP;
		dialog_start(&model->dialog, now_usec);
		send_hello(model);
	}
	/* Frames first: the last of them may say why the connection has ended. */
	if (model->state == UPLINK_UP && !take_frames(model, now_usec))
		return;
	if (model->went_down)
		give_up(model);
}

void guestd_link_renew(struct guestd_model *model)
{
	if (model->state == UPLINK_DOWN)
		return;
	say_bye(model, BYE_SHUTDOWN, "there are new CPUs");
	hang_up(model);
	retry_after(model, 0);
}

/* As guest_link_check(), with uplink_is_stalled() of a connection on its way. */
void guestd_link_check(struct guestd_model *model, uint64_t now_usec)
{
	if (model->state == UPLINK_CONNECTING &&
	    now_usec - model->progress_usec >= UPLINK_STALL_USEC) {
		give_up(model);
	} else if (model->state == UPLINK_UP &&
		   dialog_check(&model->dialog, now_usec) == DIALOG_TIMEOUT) {
		say_bye(model, BYE_TIMEOUT, "silent");
		give_up(model);
	}
}

/* As send_report(); nothing is known of pressure. */
static int send_report(struct guestd_model *model, uint64_t stamp_usec, uint64_t now_usec)
{
	static uint8_t frame[REPORT_FRAME_MAX];
	struct message_report report;

	reporter_build(model->reporter, now_usec, &report, model->records);
	report.stamp_usec = stamp_usec;
	model->world.figures->reports++;
	return send_frame(model, frame, report_put(frame, sizeof(frame), &report, model->records));
}

static int send_ping(struct guestd_model *model, uint64_t now_usec)
{
	uint8_t frame[FRAME_HEADER + 8];

	reporter_pinged(model->reporter, now_usec);
	return send_frame(model, frame, ping_put(frame, sizeof(frame), now_usec));
}

/* As guest_link_report() with send_due(). There are no notices. */
void guestd_link_report(struct guestd_model *model, uint64_t stamp_usec, uint64_t now_usec)
{
	enum reporter_due due;
	int r = 0;

	if (!model->dialog.streaming)
		return;
	due = reporter_decide(model->reporter, now_usec);
	if (due == REPORTER_REPORT)
		r = send_report(model, stamp_usec, now_usec);
	else if (due == REPORTER_PING)
		r = send_ping(model, now_usec);
	if (r < 0)
		give_up(model);
}

/* -- the path's news -- */

static void on_up(void *userdata)
{
	struct guestd_model *model = userdata;

	if (model->state != UPLINK_CONNECTING) { /* it was given up meanwhile */
		path_close(model->world.path, PATH_GUEST);
		return;
	}
	model->came_up = true;
	guestd_wake(model, DUE_IO);
}

/* While guestd doesn't run they wait in the socket; the buffer has room for more than the host
 * sends in the 30 s after which it hangs up. */
static void on_bytes(void *userdata, const uint8_t *bytes, size_t size)
{
	struct guestd_model *model = userdata;
	size_t room;
	uint8_t *space = frame_decoder_space(&model->decoder, &room);

	memcpy(space, bytes, MIN(size, room));
	frame_decoder_commit(&model->decoder, MIN(size, room));
	guestd_wake(model, DUE_IO);
}

static void on_down(void *userdata)
{
	struct guestd_model *model = userdata;

	model->went_down = true;
	guestd_wake(model, DUE_IO);
}

static const struct path_ops path_ops = {on_up, on_bytes, on_down};

/* As on_retry() with connect_now(). */
static void on_retry(struct event *event)
{
	struct guestd_model *model = EVENT_OWNER(event, struct guestd_model, retry);

	if (guestd_is_silent(model)) {
		queue_set(model->world.queue, event, model->world.agent->silent_until_nsec);
		return;
	}
	model->state = UPLINK_CONNECTING;
	model->progress_usec = guestd_now_usec(model);
	model->hello_sent = false;
	frame_decoder_init(&model->decoder);
	path_connect(model->world.path);
}

void guestd_link_init(struct guestd_model *model)
{
	model->retry.fire = on_retry;
	path_attach(model->world.path, PATH_GUEST, &path_ops, model);
	frame_decoder_init(&model->decoder);
}
