/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One payload: HELLO, REPORT, FEEDBACK, PING, BYE and NOTICE, from an equal and from a newer peer.
 * What is accepted keeps to its limits, and is written again as the same bytes. The first byte is
 * the type, the second the peer's minor version. */
#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

static uint8_t again[FRAME_MAX];
static struct message_hello hello, hello_again;

static void check_text(const char *text)
{
	REQUIRE(strlen(text) <= PROTO_TEXT_MAX);
	for (; *text; text++)
		REQUIRE(*text >= 0x20 && *text <= 0x7e);
}

/* Its fields may come in any order, so what is written is read and written once more. */
static void check_hello(const struct frame *frame)
{
	struct frame second;
	int n;

	memset(&hello, 0xa5, sizeof(hello));
	if (hello_parse(frame, &hello) < 0)
		return;
	REQUIRE(hello.major == PROTO_MAJOR && hello.n_cpus <= PROTO_CPUS_MAX);
	REQUIRE(hello.lease_max_msec <= PROTO_LEASE_MAX_MSEC);
	for (unsigned i = 0; i < hello.n_cpus; i++)
		REQUIRE(hello.cpu[i].cpu < PROTO_CPUS_MAX);
	check_text(hello.agent);
	n = hello_put(again, sizeof(again), &hello);
	REQUIRE(n > 0);
	second = (struct frame){MESSAGE_HELLO, again + FRAME_HEADER, (size_t)n - FRAME_HEADER};
	REQUIRE(second.size <= frame->size);
	REQUIRE(hello_parse(&second, &hello_again) == 0);
	REQUIRE(hello_again.fields == hello.fields && hello_again.n_cpus == hello.n_cpus);
	REQUIRE(hello_again.lease_max_msec == hello.lease_max_msec);
	REQUIRE(hello_again.signal == hello.signal && hello_again.cpufreq == hello.cpufreq);
	REQUIRE(strcmp(hello_again.agent, hello.agent) == 0);
	REQUIRE(memcmp(hello_again.boot_id, hello.boot_id, sizeof(hello.boot_id)) == 0);
}

static int check_report(const struct message_report *report)
{
	static struct report_vcpu vcpus[PROTO_CPUS_MAX];
	int last = -1;

	REQUIRE(report->n_vcpus <= PROTO_CPUS_MAX && report->record_size >= REPORT_RECORD);
	REQUIRE(report->lease_msec >= 1 && report->lease_msec <= PROTO_LEASE_MAX_MSEC);
	for (unsigned i = 0; i < report->n_vcpus; i++) {
		const struct report_vcpu *v = &vcpus[i];

		report_vcpu(report, i, &vcpus[i]);
		REQUIRE(v->cpu > last && v->cpu < PROTO_CPUS_MAX);
		REQUIRE(v->util_avg <= 1024 && v->util_est <= 1024);
		REQUIRE(v->freq_scale >= 1 && v->freq_scale <= 1024);
		REQUIRE(v->uclamp_min <= 1024 && v->uclamp_max <= 1024);
		last = v->cpu;
	}
	return report_put(again, sizeof(again), report, vcpus);
}

static int check_feedback(const struct message_feedback *feedback)
{
	static struct feedback_vcpu vcpus[PROTO_CPUS_MAX];
	int last = -1;

	REQUIRE(feedback->n_vcpus <= PROTO_CPUS_MAX && feedback->record_size >= FEEDBACK_RECORD);
	for (unsigned i = 0; i < feedback->n_vcpus; i++) {
		const struct feedback_vcpu *v = &vcpus[i];

		feedback_vcpu(feedback, i, &vcpus[i]);
		REQUIRE(v->cpu > last && v->cpu < PROTO_CPUS_MAX);
		REQUIRE(v->capacity >= 1 && v->capacity <= 1024);
		REQUIRE(v->freq_max_khz == 0 || v->freq_khz <= v->freq_max_khz);
		last = v->cpu;
	}
	return feedback_put(again, sizeof(again), feedback->sequence, vcpus, feedback->n_vcpus);
}

/* As a HELLO's, its fields may come in any order: read again, they say the same. */
static void check_notice(const struct message_notice *notice)
{
	struct message message;
	struct frame second;
	int n;

	REQUIRE(!(notice->concerns & ~NOTICE_KNOWN));
	check_text(notice->scheduler);
	n = notice_put(again, NOTICE_FRAME_MAX, notice);
	REQUIRE(n > 0);
	second = (struct frame){MESSAGE_NOTICE, again + FRAME_HEADER, (size_t)n - FRAME_HEADER};
	REQUIRE(message_parse(&second, PROTO_MINOR, &message) == 0);
	REQUIRE(message.notice.concerns == notice->concerns);
	REQUIRE(strcmp(message.notice.scheduler, notice->scheduler) == 0);
}

static int check_message(const struct message *message)
{
	switch (message->type) {
	case MESSAGE_REPORT:
		return check_report(&message->report);
	case MESSAGE_FEEDBACK:
		return check_feedback(&message->feedback);
	case MESSAGE_PING:
		return message->ping.has_flags
			       ? ping_put_flags(again, sizeof(again), message->ping.stamp_usec,
						message->ping.flags)
			       : ping_put(again, sizeof(again), message->ping.stamp_usec);
	case MESSAGE_BYE:
		check_text(message->bye.text);
		return bye_put(again, sizeof(again), message->bye.code, message->bye.text);
	default:
		return 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message message;
	struct frame frame;
	uint8_t minor;
	int n;

	if (size < 2 || size - 2 > FRAME_PAYLOAD_MAX)
		return 0;
	frame = (struct frame){.type = data[0] % 8, .payload = data + 2, .size = size - 2};
	minor = data[1] % (PROTO_MINOR + 2);
	check_hello(&frame);
	if (message_parse(&frame, minor, &message) < 0)
		return 0;
	if (message.type == MESSAGE_NOTICE) {
		REQUIRE(minor >= 2);
		REQUIRE(minor >= 3 || !(message.notice.concerns & ~NOTICE_KNOWN_0_2));
		check_notice(&message.notice);
		return 0;
	}
	n = check_message(&message);
	if (minor > PROTO_MINOR)
		return 0; /* what was skipped isn't written again */
	REQUIRE(message.type != MESSAGE_UNKNOWN);
	REQUIRE(n == (int)(FRAME_HEADER + frame.size) && again[2] == frame.type);
	REQUIRE(memcmp(again + FRAME_HEADER, frame.payload, frame.size) == 0);
	return 0;
}
