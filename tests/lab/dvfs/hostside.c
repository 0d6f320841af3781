/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/hostside.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "common/macro.h"

#define BEAT_MAX_NSEC UINT64_C(2000000000)
#define PATH_SIZE     512

uint64_t hostside_now_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void hostside_sleep_until(uint64_t nsec)
{
	struct timespec until = {.tv_sec = (time_t)(nsec / 1000000000),
				 .tv_nsec = (long)(nsec % 1000000000)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

bool hostside_spare_cpus(const struct timetable *t, cpu_set_t *ret)
{
	if (sched_getaffinity(0, sizeof(*ret), ret) < 0)
		return false;
	for (uint32_t i = 0; i < t->n_cpus; i++)
		CPU_CLR(t->host_cpu[i], ret);
	return CPU_COUNT(ret) > 0;
}

void hostside_stand_aside(const struct timetable *t)
{
	cpu_set_t spare;

	if (hostside_spare_cpus(t, &spare))
		sched_setaffinity(0, sizeof(spare), &spare);
}

/* The whole file as text, to free(). */
static char *read_text(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0 && ferror(file))
		return NULL;
	if (!text)
		return strdup("");
	return TAKE_PTR(text);
}

struct timetable *hostside_timetable(const char *program, const char *path)
{
	_cleanup_free_ struct timetable *t = malloc(sizeof(*t));
	_cleanup_free_ char *text = read_text(path);
	const char *why;
	unsigned line;

	if (!t || !text) {
		fprintf(stderr, "%s: %s: %s\n", program, path, strerror(errno));
		return NULL;
	}
	if (timetable_parse(text, t, &line, &why) < 0) {
		fprintf(stderr, "%s: %s:%u: %s\n", program, path, line, why);
		return NULL;
	}
	return TAKE_PTR(t);
}

void *hostside_map(const char *path_at_offset, size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	char path[PATH_SIZE], *at, *end;
	unsigned long long offset = 0;
	struct stat file;
	void *map;

	if (strlen(path_at_offset) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	strcpy(path, path_at_offset);
	at = strrchr(path, '@');
	if (at) {
		*at++ = '\0';
		offset = strtoull(at, &end, 0);
		if (end == at || *end != '\0' || offset > INT64_MAX / 2) {
			errno = EINVAL;
			return NULL;
		}
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &file) < 0)
		return NULL;
	if ((uint64_t)file.st_size < offset + size) { /* reading behind the end would be SIGBUS */
		errno = ENXIO;
		return NULL;
	}
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	return map == MAP_FAILED ? NULL : map;
}

bool hostside_page_is_fed(const struct freqpage *page)
{
	return freqpage_is_valid(page) &&
	       hostside_now_nsec() < FREQPAGE_GET(page->beat_nsec) + BEAT_MAX_NSEC;
}

struct freqpage *hostside_page(const char *program, const char *path_at_offset)
{
	struct freqpage *page = hostside_map(path_at_offset, FREQPAGE_SIZE);

	if (!page) {
		fprintf(stderr, "%s: %s: %s\n", program, path_at_offset, strerror(errno));
	} else if (!hostside_page_is_fed(page)) {
		fprintf(stderr, "%s: %s: no feeder keeps this page\n", program, path_at_offset);
		munmap(page, FREQPAGE_SIZE);
		page = NULL;
	}
	return page;
}

/* What is known of the frequencies that the work was counted with. */
static void print_feeder(FILE *file, const struct freqpage *before, const struct freqpage *after)
{
	uint64_t events = after->events - before->events;
	uint64_t late_usec = after->late_usec - before->late_usec;

	fprintf(file,
		"# feeder: changes %" PRIu64 " late mean %.1f p50 <%" PRIu64 " p99 <%" PRIu64
		" us, max since its start %" PRIu64 " us, lost %" PRIu64 " wrong %" PRIu64 "\n",
		events, events > 0 ? (double)late_usec / (double)events : 0.0,
		freqpage_late_usec(before->late, after->late, 500),
		freqpage_late_usec(before->late, after->late, 990), after->late_max_usec,
		after->lost - before->lost, after->wrong - before->wrong);
	if (!hostside_page_is_fed(after))
		fprintf(file, "# feeder: GONE before the end: the frequencies aren't true\n");
}

static void print_bursts(FILE *file, const struct timetable *t, const struct dispatch *d)
{
	for (uint32_t i = 0; i < t->n_bursts; i++) {
		const struct dispatch_burst *b = &d->burst[i];

		if (b->ended_usec == DISPATCH_NEVER)
			continue;
		fprintf(file,
			"burst %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64
			" %" PRIu32 "\n",
			t->burst[i].id, t->burst[i].task, b->cpu, b->released_usec, b->begun_usec,
			b->ended_usec, t->burst[i].work_usec);
	}
}

int hostside_write_log(const char *path, const struct hostside_log *log, const struct timetable *t,
		       const struct dispatch *d)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	if (!file)
		return -errno;
	fprintf(file, "# %s\n", log->carrier);
	print_feeder(file, log->before, log->after);
	fprintf(file, "# ended %" PRIu32 " of %" PRIu32 " bursts, left out %" PRIu32 "\n",
		d->n_ended, t->n_bursts, d->n_left_out);
	if (d->n_moves > 0)
		fprintf(file,
			"# moves to an idle vCPU %" PRIu32
			" until it ran there mean %.1f max %" PRIu64 " us\n",
			d->n_moves, (double)d->move_usec / d->n_moves, d->move_max_usec);
	fputs(log->lines ?: "", file);
	fprintf(file, "start %" PRIu64 "\n", log->start_usec);
	print_bursts(file, t, d);
	if (fflush(file) != 0 || ferror(file))
		return errno > 0 ? -errno : -EIO;
	return 0;
}
