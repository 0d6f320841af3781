/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does again what record.py has seen: replay FILE, of lines "AT TASK CPU BUSY" in microseconds.
 * Each TASK is a process that is made when its first stretch begins and ends with its last, and
 * spins on that CPU for BUSY of its own time. A stretch whose time has come while the one before
 * still runs begins late, as a task that had to wait would. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STRETCHES_MAX = 20000 };

static struct stretch {
	int64_t at_usec, busy_usec;
	unsigned task, cpu;
} stretch[STRETCHES_MAX];
static unsigned n;

static int64_t usec_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void sleep_until(int64_t usec)
{
	struct timespec t = {.tv_sec = usec / 1000000, .tv_nsec = usec % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void read_stretches(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[128];

	if (!file) {
		fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	while (n < STRETCHES_MAX && fgets(line, sizeof(line), file)) {
		struct stretch *s = &stretch[n];
		long long at, busy;

		if (sscanf(line, "%lld %u %u %lld", &at, &s->task, &s->cpu, &busy) != 4)
			continue;
		s->at_usec = at;
		s->busy_usec = busy;
		n++;
	}
	fclose(file);
}

static void go_to(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0) {
		fprintf(stderr, "replay: CPU %u: %s\n", cpu, strerror(errno));
		_exit(1);
	}
}

static _Noreturn void run(unsigned first, int64_t start_usec)
{
	for (unsigned i = first; i < n; i++) {
		int64_t end;

		if (stretch[i].task != stretch[first].task)
			continue;
		go_to(stretch[i].cpu);
		sleep_until(start_usec + stretch[i].at_usec);
		end = usec_of(CLOCK_THREAD_CPUTIME_ID) + stretch[i].busy_usec;
		while (usec_of(CLOCK_THREAD_CPUTIME_ID) < end)
			;
	}
	_exit(0);
}

static int is_first(unsigned at)
{
	for (unsigned i = 0; i < at; i++)
		if (stretch[i].task == stretch[at].task)
			return 0;
	return 1;
}

int main(int argc, char **argv)
{
	int status, failed = 0;
	int64_t start;

	if (argc != 2) {
		fprintf(stderr, "usage: replay FILE\n");
		return 2;
	}
	read_stretches(argv[1]);
	start = usec_of(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++) {
		if (!is_first(i))
			continue;
		sleep_until(start + stretch[i].at_usec);
		if (fork() == 0)
			run(i, start);
	}
	while (wait(&status) > 0)
		failed |= status;
	printf("total stretches %u, %.1f s\n", n, (double)(usec_of(CLOCK_MONOTONIC) - start) / 1e6);
	return failed != 0 || n == 0;
}
