/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames <-> messages, every field checked. Pure, without allocation. */
#include "proto/message.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"

#define TLV	       4U
#define HELLO_FIXED    4U
#define HELLO_CPU_SIZE 12U
#define PING_SIZE      8U
#define PING_SIZE_0_4  12U /* with flags */
#define BYE_FIXED      4U
#define NOTICE_MINOR   2U /* the first version that has it */
#define EBPF_MINOR     3U /* and that says why there is no eBPF */

#define BIT(n) (UINT32_C(1) << (n))

/* Copies text that somebody else sent: printable ASCII alone, for it goes to logs and terminals. */
static int get_text(const uint8_t *p, size_t size, char ret[PROTO_TEXT_MAX + 1])
{
	if (size > PROTO_TEXT_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < size; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			return -EBADMSG;
	memcpy(ret, p, size);
	ret[size] = '\0';
	return 0;
}

/* The next field of a HELLO or a NOTICE: takes it off *p and *left. fields has those that came
 * before; one that comes again is refused. */
static int get_tlv(const uint8_t **p, size_t *left, uint32_t fields, unsigned *ret_tag,
		   const uint8_t **ret_value, size_t *ret_size)
{
	unsigned tag;
	size_t size;

	if (*left < TLV)
		return -EBADMSG;
	tag = get_u16(*p);
	size = get_u16(*p + 2);
	if (size > *left - TLV || (tag < 32 && fields & BIT(tag)))
		return -EBADMSG;
	*ret_tag = tag;
	*ret_value = *p + TLV;
	*ret_size = size;
	*p += TLV + size;
	*left -= TLV + size;
	return 0;
}

static int get_hello_cpus(const uint8_t *p, size_t size, struct message_hello *ret)
{
	if (size == 0 || size % HELLO_CPU_SIZE != 0 || size / HELLO_CPU_SIZE > PROTO_CPUS_MAX)
		return -EBADMSG;
	ret->n_cpus = (uint16_t)(size / HELLO_CPU_SIZE);
	for (unsigned i = 0; i < ret->n_cpus; i++, p += HELLO_CPU_SIZE) {
		ret->cpu[i] = (struct hello_cpu){.cpu = get_u32(p), .id = get_u64(p + 4)};
		if (ret->cpu[i].cpu >= PROTO_CPUS_MAX ||
		    (i > 0 && ret->cpu[i].cpu <= ret->cpu[i - 1].cpu))
			return -EBADMSG;
	}
	return 0;
}

/* A field of one byte from low to high. */
static int get_hello_byte(const uint8_t *p, size_t size, uint8_t low, uint8_t high, uint8_t *ret)
{
	if (size != 1 || *p < low || *p > high)
		return -EBADMSG;
	*ret = *p;
	return 0;
}

/* One field of a HELLO: 1 if it is known and good, 0 if it isn't known. */
static int get_hello_field(unsigned tag, const uint8_t *p, size_t size, struct message_hello *ret)
{
	uint8_t byte = 0;
	int r = 0;

	switch (tag) {
	case HELLO_CPUS:
		r = get_hello_cpus(p, size, ret);
		break;
	case HELLO_SIGNAL:
		r = get_hello_byte(p, size, SIGNAL_PROC, SIGNAL_EBPF, &byte);
		ret->signal = byte;
		break;
	case HELLO_INVARIANT:
		r = get_hello_byte(p, size, 0, 1, &byte);
		ret->invariant = byte;
		break;
	case HELLO_BOOT_ID:
		if (size != sizeof(ret->boot_id))
			return -EBADMSG;
		memcpy(ret->boot_id, p, size);
		break;
	case HELLO_AGENT:
		r = get_text(p, size, ret->agent);
		break;
	case HELLO_CPUFREQ:
		r = get_hello_byte(p, size, CPUFREQ_NONE, CPUFREQ_OFF, &byte);
		ret->cpufreq = byte;
		break;
	case HELLO_LEASE_MAX:
		if (size != 4 || get_u32(p) == 0 || get_u32(p) > PROTO_LEASE_MAX_MSEC)
			return -EBADMSG;
		ret->lease_max_msec = get_u32(p);
		break;
	default:
		return 0;
	}
	return r < 0 ? r : 1;
}

static int get_hello_fields(const uint8_t *p, size_t left, struct message_hello *ret)
{
	while (left > 0) {
		const uint8_t *value;
		unsigned tag;
		size_t size;
		int r = get_tlv(&p, &left, ret->fields, &tag, &value, &size);

		if (r >= 0)
			r = get_hello_field(tag, value, size, ret);
		if (r < 0)
			return r;
		if (r == 0 && ret->minor <= PROTO_MINOR)
			return -EBADMSG; /* no version that it speaks has this field */
		if (r > 0)
			ret->fields |= BIT(tag);
	}
	return 0;
}

/* Fields that don't come are 0 or empty. The CPUs are left: they are 16 KiB, and n_cpus says all.
 */
static void clear_hello(struct message_hello *ret)
{
	ret->fields = 0;
	ret->signal = 0;
	ret->cpufreq = CPUFREQ_NONE;
	ret->invariant = false;
	memset(ret->boot_id, 0, sizeof(ret->boot_id));
	ret->lease_max_msec = 0;
	ret->agent[0] = '\0';
	ret->n_cpus = 0;
}

int hello_parse(const struct frame *frame, struct message_hello *ret)
{
	if (frame->type != MESSAGE_HELLO || frame->size < HELLO_FIXED)
		return -EBADMSG;
	ret->major = frame->payload[0];
	ret->minor = frame->payload[1];
	clear_hello(ret);
	if (ret->major != PROTO_MAJOR)
		return -EPROTONOSUPPORT;
	if (get_u16(frame->payload + 2) != 0)
		return -EBADMSG;
	return get_hello_fields(frame->payload + HELLO_FIXED, frame->size - HELLO_FIXED, ret);
}

static bool hello_has(const struct message_hello *hello, uint32_t fields)
{
	return (hello->fields & fields) == fields;
}

bool hello_is_of_guest(const struct message_hello *hello)
{
	return hello_has(hello, BIT(HELLO_CPUS) | BIT(HELLO_SIGNAL) | BIT(HELLO_INVARIANT) |
					BIT(HELLO_BOOT_ID) | BIT(HELLO_AGENT) | BIT(HELLO_CPUFREQ));
}

bool hello_is_of_host(const struct message_hello *hello)
{
	return hello_has(hello, BIT(HELLO_AGENT) | BIT(HELLO_LEASE_MAX));
}

static void get_report_vcpu(const uint8_t *p, struct report_vcpu *ret)
{
	*ret = (struct report_vcpu){
		.cpu = get_u16(p),
		.flags = get_u16(p + 2),
		.util_avg = get_u16(p + 4),
		.util_est = get_u16(p + 6),
		.freq_scale = get_u16(p + 8),
		.runnable = get_u16(p + 10),
		.uclamp_min = get_u16(p + 12),
		.uclamp_max = get_u16(p + 14),
		.run_delay_usec = get_u32(p + 16),
		.steal_usec = get_u32(p + 20),
	};
}

void report_vcpu(const struct message_report *report, unsigned i, struct report_vcpu *ret)
{
	get_report_vcpu(report->records + (size_t)i * report->record_size, ret);
}

static bool report_vcpu_is_good(const struct report_vcpu *vcpu, bool newer)
{
	return vcpu->cpu < PROTO_CPUS_MAX && (newer || !(vcpu->flags & ~VCPU_FLAGS)) &&
	       vcpu->util_avg <= PROTO_UTIL_MAX && vcpu->util_est <= PROTO_UTIL_MAX &&
	       vcpu->freq_scale >= 1 && vcpu->freq_scale <= PROTO_UTIL_MAX &&
	       vcpu->uclamp_min <= PROTO_UTIL_MAX && vcpu->uclamp_max <= PROTO_UTIL_MAX;
}

/* The counts that a message with records begins with fit its size. */
static bool records_fit(size_t size, size_t fixed, unsigned n, size_t record_size,
			size_t record_min, bool newer)
{
	return n <= PROTO_CPUS_MAX && record_size >= record_min &&
	       (newer || record_size == record_min) && size == fixed + n * record_size;
}

static int parse_report(const struct frame *frame, bool newer, struct message_report *ret)
{
	const uint8_t *p = frame->payload;
	struct message_report report;
	int last = -1;

	if (frame->size < REPORT_FIXED)
		return -EBADMSG;
	report = (struct message_report){
		.sequence = get_u32(p),
		.n_vcpus = get_u16(p + 4),
		.record_size = get_u16(p + 6),
		.stamp_usec = get_u64(p + 8),
		.lease_msec = get_u16(p + 16),
		.psi_fields = get_u16(p + 18),
		.records = p + REPORT_FIXED,
	};
	if (!records_fit(frame->size, REPORT_FIXED, report.n_vcpus, report.record_size,
			 REPORT_RECORD, newer) ||
	    report.lease_msec == 0 || report.lease_msec > PROTO_LEASE_MAX_MSEC ||
	    (!newer && (report.psi_fields >= BIT(PSI_N) || get_u32(p + 20) != 0)))
		return -EBADMSG;
	for (unsigned i = 0; i < PSI_N; i++)
		report.psi_usec[i] = get_u64(p + 24 + (size_t)i * 8);
	for (unsigned i = 0; i < report.n_vcpus; i++) {
		struct report_vcpu vcpu;

		report_vcpu(&report, i, &vcpu);
		if (!report_vcpu_is_good(&vcpu, newer) || vcpu.cpu <= last)
			return -EBADMSG;
		last = vcpu.cpu;
	}
	*ret = report;
	return 0;
}

void feedback_vcpu(const struct message_feedback *feedback, unsigned i, struct feedback_vcpu *ret)
{
	const uint8_t *p = feedback->records + (size_t)i * feedback->record_size;

	*ret = (struct feedback_vcpu){
		.cpu = get_u16(p),
		.capacity = get_u16(p + 2),
		.freq_khz = get_u32(p + 4),
		.freq_max_khz = get_u32(p + 8),
	};
}

uint16_t feedback_delivered1024(const struct feedback_vcpu *vcpu)
{
	uint64_t share = vcpu->capacity;

	if (vcpu->freq_khz > 0 && vcpu->freq_max_khz > 0)
		share = share * vcpu->freq_khz / vcpu->freq_max_khz;
	return (uint16_t)CLAMP(share, 1U, CAPACITY_SCALE);
}

static int parse_feedback(const struct frame *frame, bool newer, struct message_feedback *ret)
{
	const uint8_t *p = frame->payload;
	struct message_feedback feedback;
	int last = -1;

	if (frame->size < FEEDBACK_FIXED)
		return -EBADMSG;
	feedback = (struct message_feedback){
		.sequence = get_u32(p),
		.n_vcpus = get_u16(p + 4),
		.record_size = get_u16(p + 6),
		.records = p + FEEDBACK_FIXED,
	};
	if (!records_fit(frame->size, FEEDBACK_FIXED, feedback.n_vcpus, feedback.record_size,
			 FEEDBACK_RECORD, newer))
		return -EBADMSG;
	for (unsigned i = 0; i < feedback.n_vcpus; i++) {
		struct feedback_vcpu vcpu;

		feedback_vcpu(&feedback, i, &vcpu);
		if (vcpu.cpu >= PROTO_CPUS_MAX || vcpu.cpu <= last || vcpu.capacity == 0 ||
		    vcpu.capacity > CAPACITY_SCALE ||
		    (vcpu.freq_max_khz && vcpu.freq_khz > vcpu.freq_max_khz))
			return -EBADMSG;
		last = vcpu.cpu;
	}
	*ret = feedback;
	return 0;
}

static int parse_ping(const struct frame *frame, uint8_t peer_minor, struct message_ping *ret)
{
	bool newer = peer_minor > PROTO_MINOR;
	bool has_flags = peer_minor >= 4 && frame->size >= PING_SIZE_0_4;
	uint32_t flags = has_flags ? get_u32(frame->payload + PING_SIZE) : 0;

	if (frame->size < PING_SIZE ||
	    (!newer && frame->size != (has_flags ? PING_SIZE_0_4 : PING_SIZE)) ||
	    (!newer && flags & ~PING_NO_REPORTS))
		return -EBADMSG;
	*ret = (struct message_ping){.stamp_usec = get_u64(frame->payload),
				     .has_flags = has_flags,
				     .flags = flags & PING_NO_REPORTS};
	return 0;
}

static int parse_bye(const struct frame *frame, struct message_bye *ret)
{
	char text[PROTO_TEXT_MAX + 1];
	int r;

	if (frame->size < BYE_FIXED || get_u16(frame->payload + 2) != 0)
		return -EBADMSG;
	r = get_text(frame->payload + BYE_FIXED, frame->size - BYE_FIXED, text);
	if (r < 0)
		return r;
	ret->code = get_u16(frame->payload);
	memcpy(ret->text, text, sizeof(text));
	return 0;
}

/* The concerns that a peer of that version may name. */
static uint32_t notice_allowed(uint8_t peer_minor)
{
	if (peer_minor > PROTO_MINOR)
		return UINT32_MAX;
	return peer_minor < EBPF_MINOR ? NOTICE_KNOWN_0_2 : NOTICE_KNOWN;
}

/* One field of a NOTICE: 1 if it is known and good, 0 if it isn't known. */
static int get_notice_field(unsigned tag, const uint8_t *p, size_t size, uint8_t peer_minor,
			    struct message_notice *ret)
{
	int r;

	switch (tag) {
	case NOTICE_FIELD_CONCERNS:
		if (size != 4 || get_u32(p) & ~notice_allowed(peer_minor))
			return -EBADMSG;
		ret->concerns = get_u32(p) & NOTICE_KNOWN;
		return 1;
	case NOTICE_FIELD_SCHEDULER:
		r = get_text(p, size, ret->scheduler);
		return r < 0 ? r : 1;
	default:
		return 0;
	}
}

static int parse_notice(const struct frame *frame, uint8_t peer_minor, struct message_notice *ret)
{
	const uint8_t *p = frame->payload;
	size_t left = frame->size;
	uint32_t fields = 0;

	*ret = (struct message_notice){};
	while (left > 0) {
		const uint8_t *value;
		unsigned tag;
		size_t size;
		int r = get_tlv(&p, &left, fields, &tag, &value, &size);

		if (r >= 0)
			r = get_notice_field(tag, value, size, peer_minor, ret);
		if (r < 0)
			return r;
		if (r == 0 && peer_minor <= PROTO_MINOR)
			return -EBADMSG;
		if (r > 0)
			fields |= BIT(tag);
	}
	return fields & BIT(NOTICE_FIELD_CONCERNS) ? 0 : -EBADMSG;
}

int message_parse(const struct frame *frame, uint8_t peer_minor, struct message *ret)
{
	bool newer = peer_minor > PROTO_MINOR;

	ret->type = MESSAGE_UNKNOWN;
	switch (frame->type) {
	case MESSAGE_REPORT:
		ret->type = MESSAGE_REPORT;
		return parse_report(frame, newer, &ret->report);
	case MESSAGE_FEEDBACK:
		ret->type = MESSAGE_FEEDBACK;
		return parse_feedback(frame, newer, &ret->feedback);
	case MESSAGE_PING:
		ret->type = MESSAGE_PING;
		return parse_ping(frame, peer_minor, &ret->ping);
	case MESSAGE_BYE:
		ret->type = MESSAGE_BYE;
		return parse_bye(frame, &ret->bye);
	case MESSAGE_NOTICE:
		if (peer_minor < NOTICE_MINOR)
			return -EBADMSG;
		ret->type = MESSAGE_NOTICE;
		return parse_notice(frame, peer_minor, &ret->notice);
	case MESSAGE_HELLO: /* only the first frame of a connection is one */
		return -EBADMSG;
	default:
		return newer ? 0 : -EBADMSG;
	}
}

/* Appends one field of a HELLO or a NOTICE at *p. */
static uint8_t *put_tlv(uint8_t *p, unsigned tag, const void *value, size_t size)
{
	put_u16(p, (uint16_t)tag);
	put_u16(p + 2, (uint16_t)size);
	memcpy(p + TLV, value, size);
	return p + TLV + size;
}

static uint8_t *put_hello_cpus(uint8_t *p, const struct message_hello *hello)
{
	put_u16(p, HELLO_CPUS);
	put_u16(p + 2, (uint16_t)(hello->n_cpus * HELLO_CPU_SIZE));
	p += TLV;
	for (unsigned i = 0; i < hello->n_cpus; i++, p += HELLO_CPU_SIZE) {
		put_u32(p, hello->cpu[i].cpu);
		put_u64(p + 4, hello->cpu[i].id);
	}
	return p;
}

int hello_put(uint8_t *buffer, size_t size, const struct message_hello *hello)
{
	uint8_t *p = buffer + FRAME_HEADER, lease[4];
	const uint8_t signal = (uint8_t)hello->signal, invariant = hello->invariant,
		      cpufreq = (uint8_t)hello->cpufreq;

	if (size < FRAME_HEADER + HELLO_FIXED + 7 * TLV + sizeof(hello->boot_id) +
			   sizeof(hello->agent) + 8 + (size_t)hello->n_cpus * HELLO_CPU_SIZE)
		return -ENOBUFS;
	*p++ = hello->major;
	*p++ = hello->minor;
	put_u16(p, 0);
	p += 2;
	if (hello->fields & BIT(HELLO_CPUS))
		p = put_hello_cpus(p, hello);
	if (hello->fields & BIT(HELLO_SIGNAL))
		p = put_tlv(p, HELLO_SIGNAL, &signal, 1);
	if (hello->fields & BIT(HELLO_INVARIANT))
		p = put_tlv(p, HELLO_INVARIANT, &invariant, 1);
	if (hello->fields & BIT(HELLO_BOOT_ID))
		p = put_tlv(p, HELLO_BOOT_ID, hello->boot_id, sizeof(hello->boot_id));
	if (hello->fields & BIT(HELLO_AGENT))
		p = put_tlv(p, HELLO_AGENT, hello->agent, strlen(hello->agent));
	if (hello->fields & BIT(HELLO_CPUFREQ))
		p = put_tlv(p, HELLO_CPUFREQ, &cpufreq, 1);
	if (hello->fields & BIT(HELLO_LEASE_MAX)) {
		put_u32(lease, hello->lease_max_msec);
		p = put_tlv(p, HELLO_LEASE_MAX, lease, sizeof(lease));
	}
	frame_put_header(buffer, MESSAGE_HELLO, (size_t)(p - buffer) - FRAME_HEADER);
	return (int)(p - buffer);
}

static void put_report_vcpu(uint8_t *p, const struct report_vcpu *vcpu)
{
	put_u16(p, vcpu->cpu);
	put_u16(p + 2, vcpu->flags);
	put_u16(p + 4, vcpu->util_avg);
	put_u16(p + 6, vcpu->util_est);
	put_u16(p + 8, vcpu->freq_scale);
	put_u16(p + 10, vcpu->runnable);
	put_u16(p + 12, vcpu->uclamp_min);
	put_u16(p + 14, vcpu->uclamp_max);
	put_u32(p + 16, vcpu->run_delay_usec);
	put_u32(p + 20, vcpu->steal_usec);
}

int report_put(uint8_t *buffer, size_t size, const struct message_report *report,
	       const struct report_vcpu *vcpus)
{
	size_t payload = REPORT_FIXED + (size_t)report->n_vcpus * REPORT_RECORD;
	uint8_t *p = buffer + FRAME_HEADER;

	if (report->n_vcpus > PROTO_CPUS_MAX || size < FRAME_HEADER + payload)
		return -ENOBUFS;
	frame_put_header(buffer, MESSAGE_REPORT, payload);
	put_u32(p, report->sequence);
	put_u16(p + 4, report->n_vcpus);
	put_u16(p + 6, REPORT_RECORD);
	put_u64(p + 8, report->stamp_usec);
	put_u16(p + 16, report->lease_msec);
	put_u16(p + 18, report->psi_fields);
	put_u32(p + 20, 0);
	for (unsigned i = 0; i < PSI_N; i++)
		put_u64(p + 24 + (size_t)i * 8, report->psi_usec[i]);
	for (unsigned i = 0; i < report->n_vcpus; i++)
		put_report_vcpu(p + REPORT_FIXED + (size_t)i * REPORT_RECORD, &vcpus[i]);
	return (int)(FRAME_HEADER + payload);
}

int feedback_put(uint8_t *buffer, size_t size, uint32_t sequence, const struct feedback_vcpu *vcpus,
		 unsigned n_vcpus)
{
	size_t payload = FEEDBACK_FIXED + (size_t)n_vcpus * FEEDBACK_RECORD;
	uint8_t *p = buffer + FRAME_HEADER;

	if (n_vcpus > PROTO_CPUS_MAX || size < FRAME_HEADER + payload)
		return -ENOBUFS;
	frame_put_header(buffer, MESSAGE_FEEDBACK, payload);
	put_u32(p, sequence);
	put_u16(p + 4, (uint16_t)n_vcpus);
	put_u16(p + 6, FEEDBACK_RECORD);
	p += FEEDBACK_FIXED;
	for (unsigned i = 0; i < n_vcpus; i++, p += FEEDBACK_RECORD) {
		put_u16(p, vcpus[i].cpu);
		put_u16(p + 2, vcpus[i].capacity);
		put_u32(p + 4, vcpus[i].freq_khz);
		put_u32(p + 8, vcpus[i].freq_max_khz);
	}
	return (int)(FRAME_HEADER + payload);
}

int ping_put(uint8_t *buffer, size_t size, uint64_t stamp_usec)
{
	if (size < FRAME_HEADER + PING_SIZE)
		return -ENOBUFS;
	frame_put_header(buffer, MESSAGE_PING, PING_SIZE);
	put_u64(buffer + FRAME_HEADER, stamp_usec);
	return FRAME_HEADER + PING_SIZE;
}

int ping_put_flags(uint8_t *buffer, size_t size, uint64_t stamp_usec, uint32_t flags)
{
	if (size < FRAME_HEADER + PING_SIZE_0_4)
		return -ENOBUFS;
	frame_put_header(buffer, MESSAGE_PING, PING_SIZE_0_4);
	put_u64(buffer + FRAME_HEADER, stamp_usec);
	put_u32(buffer + FRAME_HEADER + PING_SIZE, flags);
	return FRAME_HEADER + PING_SIZE_0_4;
}

int bye_put(uint8_t *buffer, size_t size, enum bye_code code, const char *text)
{
	size_t length = strnlen(text, PROTO_TEXT_MAX);

	if (size < FRAME_HEADER + BYE_FIXED + length)
		return -ENOBUFS;
	frame_put_header(buffer, MESSAGE_BYE, BYE_FIXED + length);
	put_u16(buffer + FRAME_HEADER, (uint16_t)code);
	put_u16(buffer + FRAME_HEADER + 2, 0);
	memcpy(buffer + FRAME_HEADER + BYE_FIXED, text, length);
	return (int)(FRAME_HEADER + BYE_FIXED + length);
}

int notice_put(uint8_t *buffer, size_t size, const struct message_notice *notice)
{
	size_t length = strnlen(notice->scheduler, PROTO_TEXT_MAX);
	uint8_t *p = buffer + FRAME_HEADER, concerns[4];

	if (size < FRAME_HEADER + TLV + sizeof(concerns) + (length > 0 ? TLV + length : 0))
		return -ENOBUFS;
	put_u32(concerns, notice->concerns);
	p = put_tlv(p, NOTICE_FIELD_CONCERNS, concerns, sizeof(concerns));
	if (length > 0)
		p = put_tlv(p, NOTICE_FIELD_SCHEDULER, notice->scheduler, length);
	frame_put_header(buffer, MESSAGE_NOTICE, (size_t)(p - buffer) - FRAME_HEADER);
	return (int)(p - buffer);
}
