/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sends the reports that a guestd would send, by a timetable: report-send [OPTION]... PATH CID.
 *
 * PATH is where a vmfreq-hostd of a build with --enable-testing listens (--testing-listen=PATH),
 * CID that of a running domain. The timetable comes on stdin, a line for each change of one CPU:
 *
 *     USEC CPU UTIL_AVG UTIL_EST RUNNABLE
 *
 * USEC counts from the start and never goes back; "now" is when the line is read. RUNNABLE may be
 * "-": not known. Empty lines and those that begin with # are skipped. Each time has one REPORT,
 * with all CPUs that have a line for it; between them the lease is renewed as guestd does
 * (guestd/reporter.c), also while nothing comes on stdin. At its end it says BYE and ends: for the
 * host the guest is gone then.
 *
 *   --cpus=N         the guest has CPUs 0 to N-1 (default: 1)
 *   --delay=MS       everything is sent this much after its time, as over a slow path (default: 0)
 *   --start=USEC     the start, by CLOCK_MONOTONIC (default: when the host has said HELLO)
 *   --by-step        report only what guestd would: a rise by a step, a fall by two, ...
 *   --step=N         that step, of 1024 (default: 31)
 *   --lease=MS       how long a report holds (default: 600), but no longer than the host allows
 *   --signal=NAME    what the HELLO says it goes by: ebpf (the default) or proc
 *   --invariant      the HELLO says that the load follows frequency
 *   --ids=NAME       what it says of the CPUs' ids: index (the default: a CPU's number) or unknown
 *
 * stdout: "start USEC" (CLOCK_MONOTONIC) once the host has said HELLO, and at the end
 * "lines N reports N renewals N pings N feedbacks N late_max USEC late_mean USEC", where late is
 * from when a report should have gone out to when it had. Exit codes: 0; 1 the connection failed or
 * was lost; 64 the command line is wrong; 65 a line is wrong. */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>

#include "common/macro.h"
#include "common/parse.h"
#include "guestd/dialog.h"
#include "guestd/reporter.h"
#include "guestd/uplink.h"
#include "hostd/testing_preamble.h"

#define QUEUE_MAX  4096U
#define LINE_BYTES 256U
#define SATURATED  992U /* as in guestd/pelt_estimate.c */
#define USEC_MAX   (UINT64_C(1) << 52)

struct options {
	const char *path;
	uint64_t cid, n_cpus, delay_msec, start_usec, step1024, lease_msec;
	enum hello_signal signal;
	bool by_step, invariant, ids;
};

/* A line of the timetable. */
struct entry {
	uint64_t due_usec; /* when it should go out, by CLOCK_MONOTONIC */
	unsigned cpu;
	struct estimate estimate;
};

struct sender {
	struct options options;
	struct uplink *uplink;
	struct reporter *reporter;
	struct dialog dialog;
	struct message_hello hello;
	bool hello_sent;

	char text[64 * LINE_BYTES]; /* what was read and isn't taken yet */
	size_t text_size;
	bool ended; /* stdin is */
	uint64_t line, last_usec;
	struct entry queue[QUEUE_MAX];
	size_t queue_begin, queue_n;

	bool owes; /* a report, which should have gone out then: */
	uint64_t owes_usec;
	uint64_t lines, reports, renewals, pings, feedbacks;
	uint64_t timed, late_max_usec, late_usec; /* reports by the timetable */
	struct report_vcpu records[PROTO_CPUS_MAX];
};

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static _Noreturn void fail(int code, const char *what, const char *why)
{
	fprintf(stderr, "report-send: %s: %s\n", what, why);
	exit(code);
}

/* -- the timetable
 * --------------------------------------------------------------------------------*/

/* What is wrong with a line: NULL if nothing is. Without words, *ret_n 0, it is no entry. */
static const char *parse_entry(const struct sender *sender, char *line, uint64_t read_usec,
			       struct entry *ret, unsigned *ret_n)
{
	uint64_t usec = 0, cpu, avg, est, runnable = PROTO_UNKNOWN_U16;
	char *words[6], *save = NULL;

	*ret_n = 0;
	for (char *word = strtok_r(line, " \t\r", &save); word && *ret_n < ARRAY_SIZE(words);
	     word = strtok_r(NULL, " \t\r", &save))
		words[(*ret_n)++] = word;
	if (*ret_n == 0 || words[0][0] == '#') {
		*ret_n = 0;
		return NULL;
	}
	if (*ret_n != 5)
		return "not five words: USEC CPU UTIL_AVG UTIL_EST RUNNABLE";
	if (strcmp(words[0], "now") == 0)
		usec = read_usec > sender->options.start_usec
			       ? read_usec - sender->options.start_usec
			       : 0;
	else if (parse_u64_max(words[0], USEC_MAX, &usec) < 0)
		return "the time is neither µs nor now";
	if (strcmp(words[0], "now") == 0)
		usec = MAX(usec, sender->last_usec);
	if (usec < sender->last_usec)
		return "its time is before the line's before it";
	if (parse_u64_max(words[1], sender->options.n_cpus - 1, &cpu) < 0)
		return "no such CPU: see --cpus";
	if (parse_u64_max(words[2], PROTO_UTIL_MAX, &avg) < 0 ||
	    parse_u64_max(words[3], PROTO_UTIL_MAX, &est) < 0)
		return "a utilization is 0 to 1024";
	if (strcmp(words[4], "-") != 0 &&
	    parse_u64_max(words[4], PROTO_UNKNOWN_U16 - 1, &runnable) < 0)
		return "RUNNABLE is a number of tasks, or -";
	*ret = (struct entry){.due_usec = usec, .cpu = (unsigned)cpu, .estimate = ESTIMATE_UNKNOWN};
	ret->estimate.util_avg = (uint16_t)avg;
	ret->estimate.util_est = (uint16_t)MAX(est, avg);
	ret->estimate.runnable = (uint16_t)runnable;
	ret->estimate.saturated = runnable > 0 && avg >= SATURATED;
	return NULL;
}

/* Takes a line, which it changes. */
static void take_line(struct sender *sender, char *line, uint64_t read_usec)
{
	const struct options *options = &sender->options;
	struct entry entry;
	unsigned n;
	const char *wrong = parse_entry(sender, line, read_usec, &entry, &n);
	char where[48];

	sender->line++;
	if (wrong) {
		snprintf(where, sizeof(where), "line %llu", (unsigned long long)sender->line);
		fail(EX_DATAERR, where, wrong);
	}
	if (n == 0)
		return;
	sender->lines++;
	sender->last_usec = entry.due_usec;
	entry.due_usec += options->start_usec + options->delay_msec * USEC_PER_MSEC;
	sender->queue[(sender->queue_begin + sender->queue_n++) % QUEUE_MAX] = entry;
}

/* As many whole lines as there is room for. */
static void take_lines(struct sender *sender, uint64_t read_usec)
{
	size_t begin = 0;

	while (sender->queue_n < QUEUE_MAX) {
		char *line = sender->text + begin;
		char *end = memchr(line, '\n', sender->text_size - begin);

		if (!end)
			break;
		*end = '\0';
		begin += (size_t)(end - line) + 1;
		take_line(sender, line, read_usec);
	}
	sender->text_size -= begin;
	memmove(sender->text, sender->text + begin, sender->text_size);
	if (sender->text_size >= LINE_BYTES && !memchr(sender->text, '\n', sender->text_size))
		fail(EX_DATAERR, "stdin", "a line is too long");
}

static void read_lines(struct sender *sender)
{
	ssize_t n = read(STDIN_FILENO, sender->text + sender->text_size,
			 sizeof(sender->text) - 1 - sender->text_size);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		fail(EXIT_FAILURE, "stdin", strerror(errno));
	if (n == 0) {
		sender->ended = true;
		if (sender->text_size > 0) /* a last line without its newline */
			sender->text[sender->text_size++] = '\n';
	}
	sender->text_size += (size_t)n;
	take_lines(sender, now_usec());
}

static bool may_read(const struct sender *sender)
{
	return sender->dialog.streaming && !sender->ended && sender->queue_n < QUEUE_MAX &&
	       sender->text_size < sizeof(sender->text) - 1;
}

static const struct entry *next_entry(const struct sender *sender)
{
	return sender->queue_n > 0 ? &sender->queue[sender->queue_begin] : NULL;
}

/* -- frames
 * ---------------------------------------------------------------------------------------*/

static _Noreturn void fail_bye(const struct sender *sender)
{
	const struct message_bye *bye = &sender->dialog.message.bye;
	char why[PROTO_TEXT_MAX + 64];

	snprintf(why, sizeof(why), "the host said %s: %s", bye_code_name(bye->code), bye->text);
	fail(EXIT_FAILURE, sender->options.path, why);
}

/* What has come before the end may say why it has ended. */
static _Noreturn void fail_lost(struct sender *sender, int error)
{
	struct frame frame;

	if (uplink_serve(sender->uplink, EPOLLIN, now_usec()) == 0)
		while (uplink_next(sender->uplink, &frame) > 0)
			if (dialog_frame(&sender->dialog, &frame, now_usec()) == DIALOG_BYE)
				fail_bye(sender);
	fail(EXIT_FAILURE, sender->options.path, strerror(-error));
}

static void send_frame(struct sender *sender, int size)
{
	int r = size < 0 ? size : uplink_send(sender->uplink, (size_t)size, now_usec());

	if (r < 0)
		fail_lost(sender, r);
}

static void send_hello(struct sender *sender)
{
	struct message_hello *hello = &sender->hello;

	*hello = (struct message_hello){
		.major = PROTO_MAJOR,
		.minor = PROTO_MINOR,
		.fields = 1U << HELLO_CPUS | 1U << HELLO_SIGNAL | 1U << HELLO_INVARIANT |
			  1U << HELLO_BOOT_ID | 1U << HELLO_AGENT | 1U << HELLO_CPUFREQ,
		.signal = sender->options.signal,
		.cpufreq = CPUFREQ_NONE,
		.invariant = sender->options.invariant,
		.agent = "report-send (TESTING)",
		.n_cpus = (uint16_t)sender->options.n_cpus,
	};
	for (uint32_t i = 0; i < sender->options.n_cpus; i++)
		hello->cpu[i] = (struct hello_cpu){i, sender->options.ids ? i : UINT64_MAX};
	if (getrandom(hello->boot_id, sizeof(hello->boot_id), 0) < 0)
		fail(EXIT_FAILURE, "random", strerror(errno));
	dialog_start(&sender->dialog, now_usec());
	send_frame(sender, hello_put(uplink_space(sender->uplink, FRAME_MAX), FRAME_MAX, hello));
	sender->hello_sent = true;
}

static void send_report(struct sender *sender, uint64_t stamp_usec, uint64_t now)
{
	struct message_report report;
	uint8_t *space = uplink_space(sender->uplink, REPORT_FRAME_MAX);

	reporter_build(sender->reporter, now, &report, sender->records);
	report.stamp_usec = stamp_usec;
	send_frame(sender, report_put(space, REPORT_FRAME_MAX, &report, sender->records));
	sender->reports++;
}

/* The report of the lines whose time has come. */
static void send_owed(struct sender *sender, uint64_t now)
{
	uint64_t delay_usec = sender->options.delay_msec * USEC_PER_MSEC, late_usec;

	sender->owes = false;
	if (sender->options.by_step && reporter_decide(sender->reporter, now) != REPORTER_REPORT)
		return;
	send_report(sender, sender->owes_usec - delay_usec, now);
	late_usec = now_usec() - sender->owes_usec;
	sender->timed++;
	sender->late_usec += late_usec;
	sender->late_max_usec = MAX(sender->late_max_usec, late_usec);
}

static void send_due(struct sender *sender, uint64_t now)
{
	const struct entry *entry;

	/* While something waits there is no room promised, and what we'd say would be old. */
	if (!uplink_is_clear(sender->uplink))
		return;
	while ((entry = next_entry(sender)) && entry->due_usec <= now) {
		if (!sender->owes)
			sender->owes_usec = entry->due_usec;
		else if (entry->due_usec != sender->owes_usec)
			break; /* each time has a report */
		sender->owes = true;
		reporter_put(sender->reporter, entry->cpu, &entry->estimate, CAPACITY_SCALE);
		sender->queue_begin = (sender->queue_begin + 1) % QUEUE_MAX;
		sender->queue_n--;
	}
	if (sender->owes) {
		send_owed(sender, now);
		return;
	}
	switch (reporter_decide(sender->reporter, now)) {
	case REPORTER_REPORT:
		sender->renewals++;
		send_report(sender, now, now);
		break;
	case REPORTER_PING:
		sender->pings++;
		reporter_pinged(sender->reporter, now);
		send_frame(sender,
			   ping_put(uplink_space(sender->uplink, FRAME_MAX), FRAME_MAX, now));
		break;
	default:
		break;
	}
}

/* Every CPU is there from the first report on, idle until its first line. */
static void start_streaming(struct sender *sender, uint64_t now)
{
	struct options *options = &sender->options;
	uint64_t lease_msec = MIN(options->lease_msec, sender->dialog.lease_max_msec);
	const struct estimate idle = ESTIMATE_UNKNOWN;

	reporter_configure(sender->reporter, lease_msec * USEC_PER_MSEC,
			   (uint32_t)options->step1024);
	for (unsigned i = 0; i < options->n_cpus; i++)
		reporter_put(sender->reporter, i, &idle, CAPACITY_SCALE);
	reporter_restart(sender->reporter, now);
	if (options->start_usec == 0)
		options->start_usec = now;
	printf("start %llu\n", (unsigned long long)options->start_usec);
	fflush(stdout);
	send_report(sender, now, now);
}

static void take_frame(struct sender *sender, const struct frame *frame, uint64_t now)
{
	switch (dialog_frame(&sender->dialog, frame, now)) {
	case DIALOG_STREAMING:
		start_streaming(sender, now);
		break;
	case DIALOG_FEEDBACK: /* there is no cpufreq here that could follow it */
		sender->feedbacks++;
		break;
	case DIALOG_BYE:
		fail_bye(sender);
	case DIALOG_NOTHING: /* a PING has no answer */
		break;
	default:
		fail(EXIT_FAILURE, sender->options.path, "it doesn't speak our protocol");
	}
}

/* -- the connection
 * -------------------------------------------------------------------------------*/

static int open_unix(void *userdata, uint32_t cid, _unused_ uint32_t port)
{
	const struct sender *sender = userdata;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint8_t preamble[TESTING_PREAMBLE];

	if (strlen(sender->options.path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, sender->options.path);
	testing_preamble_put(preamble, cid);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, preamble, sizeof(preamble), MSG_NOSIGNAL) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static void serve(struct sender *sender, uint32_t events)
{
	uint64_t now = now_usec();
	int r = uplink_serve(sender->uplink, events, now), n = 0;
	struct frame frame;

	if (uplink_state(sender->uplink) == UPLINK_UP && !sender->hello_sent)
		send_hello(sender);
	while (uplink_state(sender->uplink) == UPLINK_UP &&
	       (n = uplink_next(sender->uplink, &frame)) > 0)
		take_frame(sender, &frame, now);
	if (n < 0)
		fail(EXIT_FAILURE, sender->options.path, "what came is no frame");
	if (r < 0)
		fail(EXIT_FAILURE, sender->options.path, strerror(-r));
}

/* Until something comes, or the next line, renewal or PING is due. */
static void wait_for(struct sender *sender)
{
	const struct entry *entry = next_entry(sender);
	struct pollfd fds[] = {{.fd = uplink_fd(sender->uplink)},
			       {.fd = may_read(sender) ? STDIN_FILENO : -1, .events = POLLIN}};
	uint64_t now = now_usec(), due = now + USEC_PER_SEC, usec;
	uint32_t events = uplink_events(sender->uplink);
	struct timespec timeout;

	fds[0].events =
		(short)((events & EPOLLIN ? POLLIN : 0) | (events & EPOLLOUT ? POLLOUT : 0));
	if (sender->dialog.streaming && uplink_is_clear(sender->uplink)) {
		due = MIN(due, reporter_next_usec(sender->reporter));
		due = entry ? MIN(due, entry->due_usec) : due;
	}
	usec = due > now ? due - now : 0;
	timeout = (struct timespec){.tv_sec = (time_t)(usec / USEC_PER_SEC),
				    .tv_nsec = (long)(usec % USEC_PER_SEC * NSEC_PER_USEC)};
	if (ppoll(fds, ARRAY_SIZE(fds), &timeout, NULL) < 0 && errno != EINTR)
		fail(EXIT_FAILURE, "poll", strerror(errno));
	events = (fds[0].revents & POLLIN ? EPOLLIN : 0U) |
		 (fds[0].revents & POLLOUT ? EPOLLOUT : 0U) |
		 (fds[0].revents & (POLLHUP | POLLERR) ? EPOLLHUP : 0U);
	if (events)
		serve(sender, events);
	if (fds[1].revents)
		read_lines(sender);
}

static void stream(struct sender *sender)
{
	while (!sender->ended || sender->text_size > 0 || sender->queue_n > 0 ||
	       !uplink_is_clear(sender->uplink)) {
		wait_for(sender);
		if (uplink_is_stalled(sender->uplink, now_usec()) ||
		    (uplink_state(sender->uplink) == UPLINK_UP &&
		     dialog_check(&sender->dialog, now_usec()) == DIALOG_TIMEOUT))
			fail(EXIT_FAILURE, sender->options.path, "the host is silent");
		if (!sender->dialog.streaming)
			continue;
		take_lines(sender, now_usec());
		send_due(sender, now_usec());
	}
	send_frame(sender, bye_put(uplink_space(sender->uplink, FRAME_MAX), FRAME_MAX, BYE_SHUTDOWN,
				   "the timetable is over"));
}

/* -- the command line
 * -----------------------------------------------------------------------------*/

static uint64_t number(const char *name, const char *text, uint64_t least, uint64_t most)
{
	uint64_t value = 0;

	if (parse_u64_max(text, most, &value) < 0 || value < least)
		fail(EX_USAGE, name, "no such number");
	return value;
}

static bool choose(const char *name, const char *text, const char *yes, const char *no)
{
	if (strcmp(text, yes) != 0 && strcmp(text, no) != 0)
		fail(EX_USAGE, name, "no such name");
	return strcmp(text, yes) == 0;
}

static void parse_options(int argc, char *argv[], struct options *options)
{
	static const struct option longs[] = {
		{"cpus", required_argument, NULL, 'c'},	  {"delay", required_argument, NULL, 'd'},
		{"start", required_argument, NULL, 's'},  {"by-step", no_argument, NULL, 'b'},
		{"step", required_argument, NULL, 'S'},	  {"lease", required_argument, NULL, 'l'},
		{"signal", required_argument, NULL, 'g'}, {"invariant", no_argument, NULL, 'i'},
		{"ids", required_argument, NULL, 'I'},	  {}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0)
		if (c == 'c')
			options->n_cpus = number("--cpus", optarg, 1, PROTO_CPUS_MAX);
		else if (c == 'd')
			options->delay_msec = number("--delay", optarg, 0, 60000);
		else if (c == 's')
			options->start_usec = number("--start", optarg, 1, USEC_MAX);
		else if (c == 'b')
			options->by_step = true;
		else if (c == 'S')
			options->step1024 = number("--step", optarg, 1, CAPACITY_SCALE);
		else if (c == 'l')
			options->lease_msec = number("--lease", optarg, 1, PROTO_LEASE_MAX_MSEC);
		else if (c == 'g')
			options->signal = choose("--signal", optarg, "ebpf", "proc") ? SIGNAL_EBPF
										     : SIGNAL_PROC;
		else if (c == 'i')
			options->invariant = true;
		else if (c == 'I')
			options->ids = choose("--ids", optarg, "index", "unknown");
		else
			exit(EX_USAGE);
	if (argc - optind != 2)
		fail(EX_USAGE, "the command line", "report-send [OPTION]... PATH CID");
	options->path = argv[optind];
	options->cid = number("CID", argv[optind + 1], 0, UINT32_MAX);
}

int main(int argc, char *argv[])
{
	static struct sender sender = {.options = {.n_cpus = 1,
						   .step1024 = 31,
						   .lease_msec = 600,
						   .signal = SIGNAL_EBPF,
						   .ids = true}};
	int r;

	parse_options(argc, argv, &sender.options);
	prctl(PR_SET_TIMERSLACK, 1UL); /* the kernel may else be 50 µs late by intent */
	sender.uplink = uplink_new(open_unix, &sender);
	sender.reporter = reporter_new();
	if (!sender.uplink || !sender.reporter)
		fail(EXIT_FAILURE, "memory", strerror(ENOMEM));
	r = uplink_connect(sender.uplink, (uint32_t)sender.options.cid, 0, now_usec());
	if (r < 0)
		fail(EXIT_FAILURE, sender.options.path, strerror(-r));
	stream(&sender);
	printf("lines %llu reports %llu renewals %llu pings %llu feedbacks %llu late_max %llu "
	       "late_mean %llu\n",
	       (unsigned long long)sender.lines, (unsigned long long)sender.reports,
	       (unsigned long long)sender.renewals, (unsigned long long)sender.pings,
	       (unsigned long long)sender.feedbacks, (unsigned long long)sender.late_max_usec,
	       (unsigned long long)(sender.timed ? sender.late_usec / sender.timed : 0));
	reporter_free(sender.reporter);
	uplink_free(sender.uplink);
	return 0;
}
