/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/carrier.h"

#include <inttypes.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/macro.h"
#include "tests/lab/dvfs/hostside.h"
#include "tests/lab/dvfs/lane.h"

#define START_DELAY_NSEC UINT64_C(300000000) /* until all threads are there, and cold again */
#define THREAD_LINE	 32

enum kind { NATIVE, THREADS, FLOATING };

static const struct {
	const char *name, *says;
} kinds[] = {
	[NATIVE] = {"native", "native: a host thread for each task"},
	[THREADS] = {"threads", "threads: host threads that stand for vCPUs, pinned"},
	[FLOATING] = {"floating", "floating: host threads that stand for vCPUs, not pinned"},
};

struct carrier;

/* A thread of the carrier, which is a lane. */
struct member {
	struct carrier *carrier;
	pthread_t thread;
	pid_t tid;
	bool started;
	struct lane lane;
	int64_t ran_nsec; /* in all */
};

struct carrier {
	struct timetable *timetable;
	struct dispatch *dispatch;
	struct freqpage *page;
	uint64_t start_nsec;
	pthread_mutex_t lock;
	cpu_set_t allowed; /* the caller's CPUs */
	struct member member[DISPATCH_LANES];
	uint32_t n_members; /* with the timers' lane */
};

/* ---- doors */

static uint64_t now_usec(void *userdata)
{
	const struct member *m = userdata;

	return (hostside_now_nsec() - m->carrier->start_nsec) / NSEC_PER_USEC;
}

static int64_t ran_nsec(_unused_ void *userdata)
{
	struct timespec ran;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
	return (int64_t)ran.tv_sec * 1000000000 + ran.tv_nsec;
}

static uint32_t current_cpu(_unused_ void *userdata)
{
	return (uint32_t)sched_getcpu();
}

static uint32_t lane_index(void *userdata)
{
	const struct member *m = userdata;

	return m->lane.index;
}

static uint32_t rate20(void *userdata)
{
	const struct member *m = userdata;

	return freqpage_rate20(m->carrier->page, current_cpu(NULL));
}

static void spin(_unused_ void *userdata, uint32_t rounds)
{
	for (volatile uint32_t i = 0; i < rounds; i++)
		;
}

static void wait_for(void *userdata, uint64_t until_usec, const uint32_t *kicked)
{
	const struct member *m = userdata;
	uint64_t until_nsec = m->carrier->start_nsec + until_usec * NSEC_PER_USEC;
	struct timespec until = {.tv_sec = (time_t)(until_nsec / 1000000000),
				 .tv_nsec = (long)(until_nsec % 1000000000)};

	syscall(SYS_futex, kicked, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, &until, NULL,
		FUTEX_BITSET_MATCH_ANY);
}

static void kick(void *userdata, uint32_t lane)
{
	const struct member *m = userdata;

	syscall(SYS_futex, &m->carrier->dispatch->lane[lane].kicked,
		FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

static void lock(void *userdata)
{
	pthread_mutex_lock(&((struct member *)userdata)->carrier->lock);
}

static void unlock(void *userdata)
{
	pthread_mutex_unlock(&((struct member *)userdata)->carrier->lock);
}

/* A task's thread is logged with the CPU that it is on, a vCPU's with the vCPU. */
static const struct lane_doors native_doors = {now_usec, ran_nsec, rate20, current_cpu, spin,
					       wait_for, kick,	   lock,   unlock};
static const struct lane_doors threads_doors = {now_usec, ran_nsec, rate20, lane_index, spin,
						wait_for, kick,	    lock,   unlock};

/* ---- threads */

static void *member_run(void *userdata)
{
	struct member *m = userdata;
	int64_t begin;

	m->tid = gettid();
	prctl(PR_SET_TIMERSLACK, 1UL); /* a vCPU's timer has none either */
	begin = ran_nsec(NULL);
	hostside_sleep_until(m->carrier->start_nsec);
	lane_run(&m->lane);
	m->ran_nsec = ran_nsec(NULL) - begin;
	return NULL;
}

static int start_member(struct carrier *c, uint32_t index, const struct lane_doors *doors,
			const cpu_set_t *cpus)
{
	struct member *m = &c->member[index];
	pthread_attr_t attr;
	int r;

	m->carrier = c;
	m->lane = (struct lane){.dispatch = c->dispatch,
				.timetable = c->timetable,
				.doors = doors,
				.userdata = m,
				.index = index};
	pthread_attr_init(&attr);
	r = cpus ? pthread_attr_setaffinity_np(&attr, sizeof(*cpus), cpus) : 0;
	if (r == 0)
		r = pthread_create(&m->thread, &attr, member_run, m);
	pthread_attr_destroy(&attr);
	m->started = r == 0;
	return -r;
}

static cpu_set_t one_cpu(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return set;
}

static int start_tasks(struct carrier *c)
{
	const struct timetable *t = c->timetable;
	cpu_set_t spare;
	int r;

	for (uint32_t i = 0; i < t->n_tasks; i++) {
		cpu_set_t cpu = one_cpu(t->host_cpu[t->place[t->task[i].place].cpu]);

		r = start_member(c, i, &native_doors, &cpu);
		if (r < 0)
			return r;
	}
	c->n_members = t->n_tasks + 1;
	return start_member(c, dispatch_timer_lane(t), &native_doors,
			    hostside_spare_cpus(t, &spare) ? &spare : NULL);
}

static int start_vcpus(struct carrier *c, bool pinned)
{
	c->n_members = c->timetable->n_cpus;
	for (uint32_t i = 0; i < c->timetable->n_cpus; i++) {
		cpu_set_t cpus = pinned ? one_cpu(c->timetable->host_cpu[i]) : c->allowed;
		int r = start_member(c, i, &threads_doors, &cpus);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Native's places: what a scheduler that knew the timetable would decide, from outside. */
static int move_tasks(struct carrier *c)
{
	const struct timetable *t = c->timetable;

	for (uint32_t i = 0; i < t->n_places && t->place[i].at_usec < t->length_usec; i++) {
		const struct timetable_place *place = &t->place[i];
		cpu_set_t cpu = one_cpu(t->host_cpu[place->cpu]);
		int r;

		hostside_sleep_until(c->start_nsec + place->at_usec * NSEC_PER_USEC);
		r = pthread_setaffinity_np(c->member[place->task].thread, sizeof(cpu), &cpu);
		if (r > 0 && r != ESRCH) /* at the end a thread may have gone */
			return -r;
	}
	return 0;
}

static void join_all(struct carrier *c)
{
	for (uint32_t i = 0; i < DISPATCH_LANES; i++)
		if (c->member[i].started)
			pthread_join(c->member[i].thread, NULL);
}

/* ---- the program */

/* Who is who in a trace. The timers' lane does no task's work. */
static size_t put_threads(char *buffer, size_t size, const struct carrier *c, enum kind kind)
{
	uint32_t n = kind == NATIVE ? c->timetable->n_tasks : c->n_members;
	size_t length = 0;

	for (uint32_t i = 0; i < n && length < size; i++)
		length += (size_t)snprintf(buffer + length, size - length,
					   "thread %" PRIu32 " %d\n", i, (int)c->member[i].tid);
	return length < size ? length : size - 1;
}

static int write_log(const struct carrier *c, const char *path, enum kind kind,
		     const struct freqpage *before)
{
	struct hostside_log log = {.carrier = kinds[kind].says,
				   .start_usec = c->start_nsec / NSEC_PER_USEC,
				   .before = before,
				   .after = c->page};
	uint64_t steps = 0, step_nsec = 0, run_nsec = 0;
	char lines[256 + DISPATCH_LANES * THREAD_LINE];
	size_t length;

	for (uint32_t i = 0; i < c->n_members; i++) {
		steps += c->member[i].lane.steps;
		step_nsec += c->member[i].lane.step_nsec;
		run_nsec += (uint64_t)c->member[i].ran_nsec;
	}
	length = put_threads(lines, sizeof(lines), c, kind);
	snprintf(lines + length, sizeof(lines) - length,
		 "# work counted every %.1f us of running time; ran %" PRIu64
		 " us, of it in bursts "
		 "%" PRIu64 " us\n",
		 steps > 0 ? (double)step_nsec / (double)steps / 1000 : 0.0, run_nsec / 1000,
		 step_nsec / 1000);
	log.lines = lines;
	return hostside_write_log(path, &log, c->timetable, c->dispatch);
}

/* If a thread can't be made the others still run to the timetable's end: that is an error of the
 * lab's, not something to be quick about. */
static int carry(struct carrier *c, enum kind kind)
{
	int r;

	dispatch_init(c->dispatch, c->timetable, kind == NATIVE);
	if (c->start_nsec == 0)
		c->start_nsec = hostside_now_nsec() + START_DELAY_NSEC;
	if (c->start_nsec < hostside_now_nsec())
		return -ETIMEDOUT; /* it would never be where it should */
	c->start_nsec -= c->start_nsec % NSEC_PER_USEC;
	r = kind == NATIVE ? start_tasks(c) : start_vcpus(c, kind == THREADS);
	if (r == 0 && kind == NATIVE)
		r = move_tasks(c);
	join_all(c);
	return r;
}

/* What the arguments say. start_usec: CLOCK_MONOTONIC; 0: soon. */
struct order {
	unsigned kind;
	const char *page, *timetable, *out;
	uint64_t start_usec;
};

static int run(const struct order *order)
{
	_cleanup_free_ struct timetable *t = hostside_timetable("carrier", order->timetable);
	_cleanup_free_ struct dispatch *dispatch = malloc(sizeof(*dispatch));
	struct carrier c = {.timetable = t,
			    .dispatch = dispatch,
			    .start_nsec = order->start_usec * NSEC_PER_USEC,
			    .lock = PTHREAD_MUTEX_INITIALIZER};
	struct freqpage before;
	bool fed;
	int r;

	if (sched_getaffinity(0, sizeof(c.allowed), &c.allowed) < 0 || !dispatch || !t)
		return 1;
	c.page = hostside_page("carrier", order->page);
	if (!c.page)
		return 1;
	hostside_stand_aside(t);
	before = *c.page;
	r = carry(&c, order->kind);
	if (r == 0)
		r = write_log(&c, order->out, order->kind, &before);
	if (r < 0)
		fprintf(stderr, "carrier: %s\n", strerror(-r));
	fed = hostside_page_is_fed(c.page);
	munmap(c.page, FREQPAGE_SIZE);
	return r < 0 || !fed;
}

static bool parse_start(const char *text, uint64_t *ret_usec)
{
	char *end;

	errno = 0;
	*ret_usec = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *ret_usec > 0 &&
	       *ret_usec <= INT64_MAX / NSEC_PER_USEC;
}

static bool parse_order(int argc, char **argv, struct order *ret)
{
	int i = 2;

	*ret = (struct order){.page = HOSTSIDE_PAGE};
	while (argc > 1 && ret->kind < ARRAY_SIZE(kinds) &&
	       strcmp(argv[1], kinds[ret->kind].name) != 0)
		ret->kind++;
	for (; i + 1 < argc && argv[i][0] == '-'; i += 2)
		if (strcmp(argv[i], "--page") == 0)
			ret->page = argv[i + 1];
		else if (strcmp(argv[i], "--start") != 0 ||
			 !parse_start(argv[i + 1], &ret->start_usec))
			return false;
	if (argc != i + 2 || ret->kind == ARRAY_SIZE(kinds))
		return false;
	ret->timetable = argv[i];
	ret->out = argv[i + 1];
	return true;
}

int carrier_main(int argc, char **argv)
{
	struct order order;

	if (!parse_order(argc, argv, &order)) {
		fprintf(stderr,
			"usage: carrier native|threads|floating [--page FILE] [--start USEC] "
			"TIMETABLE OUT\n");
		return 2;
	}
	return run(&order);
}
