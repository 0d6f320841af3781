/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto/PROTOCOL.md against the code. Its examples are cut out of the file and decoded; each line
 * must be the field, with the width and the value, that the code finds there; written again they
 * are the same bytes. Its tables of offsets must add up. */
#include "tests/unit/test.h"

#include "proto/message.h"

#define LINES_MAX 128U

/* One line of an example: "56 46 | magic = 0x4656 (remark)", without the remark. */
struct line {
	uint8_t bytes[64];
	size_t size;
	char text[128];
};

struct example {
	unsigned number;
	size_t n_lines, at; /* at: the next line that expect() looks at */
	struct line line[LINES_MAX];
};

static char *document;
static struct frame_decoder decoder;
static struct message_hello hello;

static int setup(_unused_ void **state)
{
	FILE *file = fopen(SRCDIR "/proto/PROTOCOL.md", "re");
	size_t size = 0;

	assert_non_null(file);
	assert_true(getdelim(&document, &size, '\0', file) > 0);
	fclose(file);
	return 0;
}

static int teardown(_unused_ void **state)
{
	free(document);
	return 0;
}

static void read_line(const char *text, struct line *ret)
{
	const char *bar = strchr(text, '|');
	char hex[256];

	EXPECT(bar && bar - text < (long)sizeof(hex), "no line of an example: %s", text);
	memcpy(hex, text, (size_t)(bar - text));
	hex[bar - text] = '\0';
	ret->size = test_hex(hex, ret->bytes, sizeof(ret->bytes));
	bar += 1 + strspn(bar + 1, " ");
	snprintf(ret->text, sizeof(ret->text), "%.*s", (int)strcspn(bar, "(\n"), bar);
	for (size_t n = strlen(ret->text); n > 0 && ret->text[n - 1] == ' '; n--)
		ret->text[n - 1] = '\0';
}

/* Cuts the next example out of the document at *cursor. */
static bool next_example(const char **cursor, struct example *ret)
{
	const char *p = strstr(*cursor, "\n```frame\n");

	if (!p)
		return false;
	p = strchr(p + 1, '\n') + 1;
	ret->n_lines = ret->at = 0;
	ret->number++;
	while (strncmp(p, "```", 3) != 0) {
		assert_true(ret->n_lines < LINES_MAX);
		read_line(p, &ret->line[ret->n_lines++]);
		p = strchr(p, '\n') + 1;
	}
	*cursor = p;
	return true;
}

/* The next line has that width and says exactly that. */
static void expect(struct example *example, size_t size, const char *format, ...) _printf_(3, 4);

static void expect(struct example *example, size_t size, const char *format, ...)
{
	const struct line *line = &example->line[example->at];
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	EXPECT(example->at < example->n_lines, "example %u ends before '%s'", example->number,
	       text);
	EXPECT(strcmp(line->text, text) == 0, "example %u line %zu: '%s', but it is '%s'",
	       example->number, example->at + 1, line->text, text);
	EXPECT(line->size == size, "example %u line %zu: %zu bytes, but '%s' has %zu",
	       example->number, example->at + 1, line->size, text, size);
	example->at++;
}

static void expect_number(struct example *example, size_t size, const char *name, uint64_t value)
{
	const struct line *line = &example->line[example->at];
	uint64_t there = 0;

	expect(example, size, "%s = %llu", name, (unsigned long long)value);
	for (size_t i = 0; i < size; i++)
		there |= (uint64_t)line->bytes[i] << (8 * i);
	EXPECT(there == value, "example %u line %zu: its bytes are %llu", example->number,
	       example->at, (unsigned long long)there);
}

static void expect_tag(struct example *example, unsigned tag, size_t length)
{
	expect_number(example, 2, "tag", tag);
	expect_number(example, 2, "length", length);
}

static int check_hello(struct example *example, const struct frame *frame, uint8_t *again)
{
	bool guest;

	assert_int_equal(hello_parse(frame, &hello), 0);
	guest = hello_is_of_guest(&hello);
	EXPECT(guest != hello_is_of_host(&hello), "example %u is of neither", example->number);
	expect_number(example, 1, "major", hello.major);
	expect_number(example, 1, "minor", hello.minor);
	expect_number(example, 2, "reserved", 0);
	if (guest) {
		expect_tag(example, 1, hello.n_cpus * 12U);
		for (unsigned i = 0; i < hello.n_cpus; i++) {
			expect_number(example, 4, "cpu", hello.cpu[i].cpu);
			expect_number(example, 8, "id", hello.cpu[i].id);
		}
		expect_tag(example, 2, 1);
		expect_number(example, 1, "signal", hello.signal);
		expect_tag(example, 3, 1);
		expect_number(example, 1, "invariant", hello.invariant);
		expect_tag(example, 4, 16);
		const uint8_t *id = hello.boot_id;
		expect(example, 16,
		       "boot_id = "
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		       id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10],
		       id[11], id[12], id[13], id[14], id[15]);
	}
	expect_tag(example, 5, strlen(hello.agent));
	expect(example, strlen(hello.agent), "agent = %s", hello.agent);
	if (guest) {
		expect_tag(example, 6, 1);
		expect_number(example, 1, "cpufreq", hello.cpufreq);
	} else {
		expect_tag(example, 7, 4);
		expect_number(example, 4, "lease_max_msec", hello.lease_max_msec);
	}
	return hello_put(again, FRAME_MAX, &hello);
}

static int check_report(struct example *example, const struct message_report *report,
			uint8_t *again)
{
	static struct report_vcpu vcpu[16];

	expect_number(example, 4, "sequence", report->sequence);
	expect_number(example, 2, "n_vcpus", report->n_vcpus);
	expect_number(example, 2, "record_size", report->record_size);
	expect_number(example, 8, "stamp_usec", report->stamp_usec);
	expect_number(example, 2, "lease_msec", report->lease_msec);
	expect_number(example, 2, "psi_fields", report->psi_fields);
	expect_number(example, 4, "reserved", 0);
	for (unsigned i = 0; i < PSI_N; i++)
		expect_number(example, 8, "psi_usec", report->psi_usec[i]);
	assert_true(report->n_vcpus <= ARRAY_SIZE(vcpu));
	for (unsigned i = 0; i < report->n_vcpus; i++) {
		report_vcpu(report, i, &vcpu[i]);
		expect_number(example, 2, "cpu", vcpu[i].cpu);
		expect_number(example, 2, "flags", vcpu[i].flags);
		expect_number(example, 2, "util_avg", vcpu[i].util_avg);
		expect_number(example, 2, "util_est", vcpu[i].util_est);
		expect_number(example, 2, "freq_scale", vcpu[i].freq_scale);
		expect_number(example, 2, "runnable", vcpu[i].runnable);
		expect_number(example, 2, "uclamp_min", vcpu[i].uclamp_min);
		expect_number(example, 2, "uclamp_max", vcpu[i].uclamp_max);
		expect_number(example, 4, "run_delay_usec", vcpu[i].run_delay_usec);
		expect_number(example, 4, "steal_usec", vcpu[i].steal_usec);
	}
	return report_put(again, FRAME_MAX, report, vcpu);
}

static int check_feedback(struct example *example, const struct message_feedback *feedback,
			  uint8_t *again)
{
	static struct feedback_vcpu vcpu[16];

	expect_number(example, 4, "sequence", feedback->sequence);
	expect_number(example, 2, "n_vcpus", feedback->n_vcpus);
	expect_number(example, 2, "record_size", feedback->record_size);
	assert_true(feedback->n_vcpus <= ARRAY_SIZE(vcpu));
	for (unsigned i = 0; i < feedback->n_vcpus; i++) {
		feedback_vcpu(feedback, i, &vcpu[i]);
		expect_number(example, 2, "cpu", vcpu[i].cpu);
		expect_number(example, 2, "capacity", vcpu[i].capacity);
		expect_number(example, 4, "freq_khz", vcpu[i].freq_khz);
		expect_number(example, 4, "freq_max_khz", vcpu[i].freq_max_khz);
	}
	return feedback_put(again, FRAME_MAX, feedback->sequence, vcpu, feedback->n_vcpus);
}

static int check_notice(struct example *example, const struct message_notice *notice,
			uint8_t *again)
{
	expect_tag(example, NOTICE_FIELD_CONCERNS, 4);
	expect_number(example, 4, "concerns", notice->concerns);
	if (*notice->scheduler) {
		expect_tag(example, NOTICE_FIELD_SCHEDULER, strlen(notice->scheduler));
		expect(example, strlen(notice->scheduler), "scheduler = %s", notice->scheduler);
	}
	return notice_put(again, FRAME_MAX, notice);
}

static int check_ping(struct example *example, const struct message_ping *ping, uint8_t *again)
{
	expect_number(example, 8, "stamp_usec", ping->stamp_usec);
	if (!ping->has_flags)
		return ping_put(again, FRAME_MAX, ping->stamp_usec);
	expect_number(example, 4, "flags", ping->flags);
	return ping_put_flags(again, FRAME_MAX, ping->stamp_usec, ping->flags);
}

static int check_message(struct example *example, const struct frame *frame, uint8_t *again)
{
	struct message message;

	if (frame->type == MESSAGE_HELLO)
		return check_hello(example, frame, again);
	assert_int_equal(message_parse(frame, PROTO_MINOR, &message), 0);
	switch (message.type) {
	case MESSAGE_REPORT:
		return check_report(example, &message.report, again);
	case MESSAGE_FEEDBACK:
		return check_feedback(example, &message.feedback, again);
	case MESSAGE_PING:
		return check_ping(example, &message.ping, again);
	case MESSAGE_NOTICE:
		return check_notice(example, &message.notice, again);
	default:
		expect_number(example, 2, "code", message.bye.code);
		expect_number(example, 2, "reserved", 0);
		expect(example, strlen(message.bye.text), "text = %s", message.bye.text);
		return bye_put(again, FRAME_MAX, message.bye.code, message.bye.text);
	}
}

/* Feeds an example to the decoder: the bytes as one string too. */
static size_t feed(const struct example *example, uint8_t *ret)
{
	size_t room, n = 0;
	uint8_t *space = frame_decoder_space(&decoder, &room);

	for (size_t i = 0; i < example->n_lines; i++) {
		memcpy(ret + n, example->line[i].bytes, example->line[i].size);
		n += example->line[i].size;
	}
	assert_true(n <= room);
	memcpy(space, ret, n);
	frame_decoder_commit(&decoder, n);
	return n;
}

static void test_examples(_unused_ void **state)
{
	static uint8_t bytes[FRAME_MAX], again[FRAME_MAX];
	static struct example example;
	const char *cursor = document;
	unsigned of_type[MESSAGE_NOTICE + 1] = {};

	frame_decoder_init(&decoder);
	while (next_example(&cursor, &example)) {
		size_t size = feed(&example, bytes);
		struct frame frame;
		int n;

		EXPECT(frame_decoder_next(&decoder, &frame) == 1, "example %u is no whole frame",
		       example.number);
		EXPECT(!frame_decoder_is_partial(&decoder), "example %u has more", example.number);
		expect(&example, 2, "magic = 0x4656");
		expect_number(&example, 1, "type", frame.type);
		expect_number(&example, 1, "reserved", 0);
		expect_number(&example, 4, "size", frame.size);
		n = check_message(&example, &frame, again);
		EXPECT(example.at == example.n_lines, "example %u has more lines", example.number);
		EXPECT(n == (int)size && memcmp(bytes, again, size) == 0,
		       "example %u is written in other bytes", example.number);
		assert_true(frame.type <= MESSAGE_NOTICE);
		of_type[frame.type]++;
	}
	assert_int_equal(of_type[MESSAGE_HELLO], 2);
	assert_int_equal(of_type[MESSAGE_REPORT], 2);
	assert_int_equal(of_type[MESSAGE_FEEDBACK], 1);
	assert_int_equal(of_type[MESSAGE_PING], 2);
	assert_int_equal(of_type[MESSAGE_BYE], 1);
	assert_int_equal(of_type[MESSAGE_NOTICE], 2);
}

static unsigned width_of(const char *type)
{
	static const struct {
		const char *name;
		unsigned width;
	} types[] = {{"u8", 1}, {"u16", 2}, {"u32", 4}, {"u64", 8}, {"u64[5]", 40}};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, type) == 0)
			return types[i].width;
	fail_msg("no type: %s", type);
	return 0;
}

/* Rows "| offset | type | `field` |": each begins where the one before ends; the sizes of all
 * tables, in order, are those of the code. */
static void test_tables(_unused_ void **state)
{
	static const unsigned sizes[] = {FRAME_HEADER,
					 4,
					 REPORT_FIXED,
					 REPORT_RECORD,
					 FEEDBACK_FIXED,
					 FEEDBACK_RECORD,
					 12,
					 4};
	size_t n_tables = 0;
	unsigned end = 0;
	char *copy = strdup(document), *state_ptr = NULL;

	for (char *row = strtok_r(copy, "\n", &state_ptr); row;
	     row = strtok_r(NULL, "\n", &state_ptr)) {
		unsigned offset;
		char type[16], field[32];

		if (sscanf(row, "| %u | %15[][a-z0-9] | `%31[a-z_]` |", &offset, type, field) != 3)
			continue;
		if (offset == 0) {
			if (n_tables > 0)
				assert_int_equal(end, sizes[n_tables - 1]);
			n_tables++;
			end = 0;
		}
		EXPECT(offset == end, "%s", row);
		end += width_of(type);
		assert_true(n_tables <= ARRAY_SIZE(sizes));
	}
	assert_int_equal(n_tables, ARRAY_SIZE(sizes));
	assert_int_equal(end, sizes[n_tables - 1]);
	free(copy);
}

/* The figures in the text that the code has names for. */
static void test_figures(_unused_ void **state)
{
	char text[256];

	snprintf(text, sizeof(text), "# The vmfreq protocol, version %u.%u\n", PROTO_MAJOR,
		 PROTO_MINOR);
	assert_non_null(strstr(document, text));
	snprintf(text, sizeof(text), "CID 2, port %u (", PROTO_PORT);
	assert_non_null(strstr(document, text));
	snprintf(text, sizeof(text), "of the payload, at most %u |", FRAME_PAYLOAD_MAX);
	assert_non_null(strstr(document, text));
	snprintf(text, sizeof(text), "n = 1..%u |", PROTO_CPUS_MAX);
	assert_non_null(strstr(document, text));
	snprintf(text, sizeof(text), "u32, in ms, 1..%u:", PROTO_LEASE_MAX_MSEC);
	assert_non_null(strstr(document, text));
	snprintf(text, sizeof(text), "Then 0..%u bytes of text", PROTO_TEXT_MAX);
	assert_non_null(strstr(document, text));
	for (unsigned code = BYE_SHUTDOWN; code <= BYE_FLOOD; code++) {
		snprintf(text, sizeof(text), "\n| %u | %s |", code, bye_code_name(code));
		EXPECT(strstr(document, text), "%s", text);
	}
	for (unsigned type = MESSAGE_HELLO; type <= MESSAGE_NOTICE; type++) {
		snprintf(text, sizeof(text), "\n| %u | %s |", type, message_type_name(type));
		EXPECT(strstr(document, text), "%s", text);
	}
	for (unsigned bit = 0; NOTICE_KNOWN >> bit; bit++) {
		snprintf(text, sizeof(text), "\n| %u | %s |", bit, notice_concern_name(bit));
		EXPECT(strstr(document, text), "%s", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_figures),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
