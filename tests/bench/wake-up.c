/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long it takes until an idle guest's task is known, with the /proc source: wake-up [COUNT].
 * The daemon, its timers and this machine are real. The guest is made up, for there may be no idle
 * CPU here: two CPUs that do nothing, but that at a random moment a task starts on the one where
 * guestd isn't and runs for 0.6 s. Its counters are written anew every millisecond. With schedstat
 * and without. No root, no vsock. */
#include "tests/unit/test_guest.h"

#include <sched.h>

#define COUNT_MAX  10000U
#define TASK_USEC  (600 * USEC_PER_MSEC)
#define PAUSE_USEC (1500 * USEC_PER_MSEC) /* and up to a second more: it is at rest again */
#define ENOUGH	   900U

/* CPU 1; CPU 0 only idles. */
static struct {
	uint64_t begin, last, idle_usec, booked_usec, slices, since;
	bool runs, has_schedstat;
} cpu;

static void write_counters(uint64_t now)
{
	char text[512];

	cpu.idle_usec += cpu.runs ? 0 : now - cpu.last;
	cpu.last = now;
	snprintf(text, sizeof(text),
		 "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 1 1 1 %012llu 1 1 1 1 0 0\n"
		 "cpu1 1 1 1 %012llu 1 1 1 1 0 0\n",
		 (unsigned long long)(now - cpu.begin) / 10000,
		 (unsigned long long)cpu.idle_usec / 10000);
	test_write(dir, "proc/stat", text);
	if (!cpu.has_schedstat)
		return;
	snprintf(text, sizeof(text),
		 "version 15\ntimestamp 1\ncpu0 0 0 0 0 0 0 1 0 1\n"
		 "cpu1 0 0 0 0 0 0 %020llu 0 %012llu\n",
		 (unsigned long long)cpu.booked_usec * 1000, (unsigned long long)cpu.slices);
	test_write(dir, "proc/schedstat", text);
}

static void set_task(bool runs)
{
	uint64_t now = now_usec();

	write_counters(now);
	cpu.runs = runs;
	if (runs)
		cpu.slices++;
	else
		cpu.booked_usec += now - cpu.since;
	cpu.since = now;
	write_counters(now);
}

static unsigned util_est_of_report(void)
{
	if (frame.type != MESSAGE_REPORT || message_parse(&frame, PROTO_MINOR, &message) < 0)
		return 0;
	for (unsigned i = 0; i < message.report.n_vcpus; i++) {
		struct report_vcpu vcpu;

		report_vcpu(&message.report, i, &vcpu);
		if (vcpu.cpu == 1)
			return vcpu.util_est;
	}
	return 0;
}

/* Goes on for so long. When the host first heard of a demand, and of enough of it; 0: not at all.
 */
static void go_on(uint64_t usec, uint64_t *ret_first, uint64_t *ret_enough)
{
	static uint64_t pinged;
	uint64_t now = now_usec(), end = now + usec;

	*ret_first = *ret_enough = 0;
	for (; now < end; now = now_usec()) {
		write_counters(now);
		if (now - pinged >= 4 * USEC_PER_SEC) {
			uint8_t buffer[64];

			pinged = now;
			send_bytes(buffer, (size_t)ping_put(buffer, sizeof(buffer), 0));
		}
		turn();
		while (take_frame()) {
			unsigned util_est = util_est_of_report();

			if (util_est > 0 && *ret_first == 0)
				*ret_first = now_usec();
			if (util_est >= ENOUGH && *ret_enough == 0)
				*ret_enough = now_usec();
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_row(const char *what, uint64_t *usec, unsigned n)
{
	if (n == 0)
		return;
	qsort(usec, n, sizeof(usec[0]), compare);
	printf("  %-22s median %6.1f, 90 %% within %6.1f, worst %6.1f ms (%u)\n", what,
	       (double)usec[n / 2] / 1e3, (double)usec[n * 9 / 10] / 1e3, (double)usec[n - 1] / 1e3,
	       n);
}

static void measure(unsigned count, bool has_schedstat)
{
	static uint64_t first[COUNT_MAX], enough[COUNT_MAX];
	unsigned n_first = 0, n_enough = 0;
	void *state = NULL;
	uint64_t seed = 1, a, b;

	setup(&state);
	memset(&cpu, 0, sizeof(cpu));
	cpu.has_schedstat = has_schedstat;
	cpu.begin = cpu.last = now_usec();
	write_config("[guest]\ncpufreq = no\n");
	write_counters(cpu.begin);
	start_streaming(false);
	for (unsigned i = 0; i < count; i++) {
		go_on(PAUSE_USEC + test_random(&seed) % USEC_PER_SEC, &a, &b);
		set_task(true);
		go_on(TASK_USEC, &a, &b);
		if (a)
			first[n_first++] = a - cpu.since;
		if (b)
			enough[n_enough++] = b - cpu.since;
		set_task(false);
	}
	printf("%s schedstat, %u tasks of 0.6 s:\n", has_schedstat ? "with" : "without", count);
	print_row("first report", first, n_first);
	print_row("util_est 900 or more", enough, n_enough);
	teardown(&state);
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 20;
	cpu_set_t first;

	count = CLAMP(count, 1U, COUNT_MAX);
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	measure(count, true);
	measure(count, false);
	return EXIT_SUCCESS;
}
