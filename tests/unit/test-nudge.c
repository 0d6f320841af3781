/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/nudge.c: a thread that comes to a CPU, also again, on this machine's own CPUs. */
#include "test.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hostd/nudge.h"

#define PATIENCE_MSEC 10000U


static bool read_stat(unsigned tid, char *text, size_t size)
{
	char path[64];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%u/stat", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fread(text, 1, size - 1, file);
	fclose(file);
	text[n] = '\0';
	return n > 0;
}

/* proc(5): the 39th field, and the third. */
static unsigned cpu_of(unsigned tid, char *ret_state)
{
	char text[1024], *word, *save = NULL;
	unsigned field = 3;

	assert_true(read_stat(tid, text, sizeof(text)));
	word = strtok_r(strrchr(text, ')') + 1, " ", &save);
	*ret_state = word[0];
	while (field < 39) {
		word = strtok_r(NULL, " ", &save);
		assert_non_null(word);
		field++;
	}
	return (unsigned)strtoul(word, NULL, 10);
}

static unsigned other_thread(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned tid = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (strtoul(entry->d_name, NULL, 10) != (unsigned long)gettid())
			tid = MAX(tid, (unsigned)strtoul(entry->d_name, NULL, 10));
	closedir(dir);
	return tid;
}

static bool comes_to(unsigned tid, unsigned cpu)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	char state;

	for (unsigned i = 0; i < PATIENCE_MSEC; i++) {
		if (cpu_of(tid, &state) == cpu && state == 'S')
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static uint64_t migrations(unsigned tid)
{
	static const char key[] = "se.nr_migrations";
	char path[64], line[256];
	uint64_t n = UINT64_MAX;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%u/sched", tid);
	file = fopen(path, "re");
	if (!file)
		return UINT64_MAX; /* without CONFIG_SCHED_DEBUG */
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, key, sizeof(key) - 1) == 0 && strchr(line, ':'))
			n = strtoull(strchr(line, ':') + 1, NULL, 10);
	fclose(file);
	return n;
}

/* The first two CPUs that we may be on. */
static unsigned two_cpus(unsigned cpu[2])
{
	cpu_set_t set;
	unsigned n = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (unsigned i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &set))
			cpu[n++] = i;
	return n;
}

static void test_comes(_unused_ void **state)
{
	struct nudge *nudge;
	unsigned cpu[2], tid, n = two_cpus(cpu);

	assert_int_equal(nudge_new(&nudge), 0);
	tid = other_thread();
	assert_int_not_equal(tid, 0);
	for (unsigned i = 0; i < 2 * n; i++) {
		assert_int_equal(nudge_cpu(nudge, cpu[i % n]), 0);
		assert_true(comes_to(tid, cpu[i % n]));
	}
	assert_null(nudge_free(nudge));
}

/* Where it is already it has to come from elsewhere, too, or the kernel doesn't hear of it. */
static void test_comes_again(_unused_ void **state)
{
	struct nudge *nudge;
	unsigned cpu[2], tid;
	uint64_t before;

	if (two_cpus(cpu) < 2)
		skip(); /* there is no elsewhere */
	assert_int_equal(nudge_new(&nudge), 0);
	tid = other_thread();
	assert_int_equal(nudge_cpu(nudge, cpu[0]), 0);
	assert_true(comes_to(tid, cpu[0]));
	before = migrations(tid);
	assert_int_equal(nudge_cpu(nudge, cpu[0]), 0);
	assert_true(comes_to(tid, cpu[0]));
	if (before != UINT64_MAX)
		assert_true(migrations(tid) >= before + 2);
	nudge_free(nudge);
}

static void test_no_such_cpu(_unused_ void **state)
{
	struct nudge *nudge;

	assert_int_equal(nudge_new(&nudge), 0);
	assert_int_equal(nudge_cpu(nudge, CPU_SETSIZE), -EINVAL);
	assert_int_equal(nudge_cpu(nudge, CPU_SETSIZE - 1), -EINVAL);
	nudge_free(nudge);
	assert_null(nudge_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes),
		cmocka_unit_test(test_comes_again),
		cmocka_unit_test(test_no_such_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
