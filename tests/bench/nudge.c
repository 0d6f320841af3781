/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a nudge costs: nudge [RATE]. A thread is busy on one CPU and counts; in turns of a second
 * another one leaves it alone, or sends it RATE nudges a second (250: one for each write_interval).
 * Printed: what a nudge takes of the busy thread's time, beside two bare context switches of the
 * same CPU (a byte there and back through a pipe), and of hostd's own. On this machine's own CPUs;
 * no root. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/macro.h"
#include "hostd/nudge.h"

#define TURNS 15U

static atomic_ullong count;
static atomic_bool over;
static unsigned victim_cpu, own_cpu;

static uint64_t nsec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void go_to(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		exit(EXIT_FAILURE);
}

static void *be_busy(_unused_ void *userdata)
{
	go_to(victim_cpu);
	while (!atomic_load_explicit(&over, memory_order_relaxed))
		atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
	return NULL;
}

/* A second with so many nudges: what the busy thread counted in a nanosecond, and the CPU time that
 * was taken of us. */
static double turn(struct nudge *nudge, unsigned rate, uint64_t *ret_own_nsec)
{
	uint64_t begin = nsec(CLOCK_MONOTONIC), own = nsec(CLOCK_THREAD_CPUTIME_ID);
	unsigned long long counted = atomic_load(&count);

	for (unsigned i = 1; i <= MAX(rate, 1U); i++) {
		uint64_t at = begin + UINT64_C(1000000000) * i / MAX(rate, 1U);
		const struct timespec until = {.tv_sec = (time_t)(at / 1000000000),
					       .tv_nsec = (long)(at % 1000000000)};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		if (rate > 0 && nudge_cpu(nudge, victim_cpu) < 0)
			exit(EXIT_FAILURE);
	}
	*ret_own_nsec = nsec(CLOCK_THREAD_CPUTIME_ID) - own;
	return (double)(atomic_load(&count) - counted) /
	       (double)(nsec(CLOCK_MONOTONIC) - begin);
}

/* Two switches: a byte to another process on the same CPU and back. */
static double bare_switches_nsec(void)
{
	const unsigned n = 20000;
	uint64_t begin;
	char byte = 0;
	int there[2], back[2];
	pid_t pid;

	if (pipe(there) < 0 || pipe(back) < 0)
		exit(EXIT_FAILURE);
	go_to(victim_cpu);
	pid = fork();
	if (pid == 0) {
		while (read(there[0], &byte, 1) == 1 && byte == 0 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	begin = nsec(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			exit(EXIT_FAILURE);
	begin = nsec(CLOCK_MONOTONIC) - begin;
	byte = 1;
	if (write(there[1], &byte, 1) != 1 || waitpid(pid, NULL, 0) != pid)
		exit(EXIT_FAILURE);
	go_to(own_cpu);
	return (double)begin / n;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char *argv[])
{
	unsigned rate = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 250, n = 0;
	double taken[TURNS], own[TURNS], bare;
	struct nudge *nudge;
	pthread_t busy;
	cpu_set_t set;

	if (rate == 0 || rate > 100000 || sched_getaffinity(0, sizeof(set), &set) < 0 ||
	    CPU_COUNT(&set) < 2) {
		fprintf(stderr, "nudge: a rate of 1 to 100000, on two CPUs at least\n");
		return 64;
	}
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			*(n++ == 0 ? &own_cpu : &victim_cpu) = cpu;
	bare = bare_switches_nsec();
	if (nudge_new(&nudge) < 0 || pthread_create(&busy, NULL, be_busy, NULL) != 0)
		return EXIT_FAILURE;
	go_to(own_cpu);
	for (unsigned i = 0; i < TURNS; i++) {
		uint64_t own_alone, own_nudges;
		double alone = turn(nudge, 0, &own_alone);
		double nudged = turn(nudge, rate, &own_nudges);

		taken[i] = (1 - nudged / alone) * 1e9 / rate;
		own[i] = (double)own_nudges / rate;
	}
	atomic_store(&over, true);
	pthread_join(busy, NULL);
	nudge_free(nudge);
	qsort(taken, TURNS, sizeof(*taken), compare);
	qsort(own, TURNS, sizeof(*own), compare);
	printf("%u a second, median of %u turns (and quartiles): a nudge takes %.1f us (%.1f .. %.1f) of the busy thread, "
	       "%.1f times two bare switches and their pipes (%.1f us), and %.1f us of its sender\n",
	       rate, TURNS, taken[TURNS / 2] / 1e3, taken[TURNS / 4] / 1e3, taken[TURNS * 3 / 4] / 1e3,
	       taken[TURNS / 2] / bare, bare / 1e3, own[TURNS / 2] / 1e3);
	return 0;
}
