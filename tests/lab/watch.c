/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's eye, in the host VM: follows a few threads (a guest's vCPUs) and the CPUs under them, without vmfreq's help.
 *
 *   watch --tids TID,TID [--seconds S] [--every MS] [--least MS] [--trace | --series]
 *
 * A task of the guest is on one vCPU at a time: the thread that used most of an interval carries it. A stretch of such
 * intervals of one thread is a burst; those shorter than --least (150 ms) are the guest's housekeeping and don't count.
 *
 * --trace prints a line for each look:   at MSEC owner INDEX floor F khz KHZ   (owner -1: nobody)
 * --series prints the threads' own utilization instead, and nothing else, as tests/bench/signal reads it:
 *   USEC INDEX UTIL_AVG -       (CLOCK_MONOTONIC, and se.avg.util_avg in /proc/TID/sched)
 * else, at the end, one line of   key=value   words, all over the bursts:
 *   bursts=N share=PERCENT      how many, and how much of the time they took
 *   floor=MEAN floor_min=LEAST  effective uclamp.min of the carrier (/proc/TID/sched), 0..1024
 *   mhz=MEAN start_mhz=MEAN     frequency under the carrier, and in a burst's first --least ms
 *   top_ms=MEAN                 from a burst's begin until its CPU runs at 90 % of its highest frequency (those that
 *                               never do count with their length)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TIDS_MAX = 16, LOOKS_MAX = 100000, CPUS_MAX = 64 };

struct thread {
        int tid, schedstat, stat, sched;
        uint64_t run_nsec, delta_nsec;
};

/* What one look saw: of the time since the look before, and of the moment. */
struct look {
        int64_t begin_usec, end_usec;
        int owner;
        long floor, khz, max_khz;
};

struct watch {
        struct thread thread[TIDS_MAX];
        int n_threads, seconds, every_msec, least_msec;
        bool trace, series;
        int cpu_fd[CPUS_MAX];
        long cpu_max_khz[CPUS_MAX];
        int n_looks;
        struct look look[LOOKS_MAX];
};

struct sums {
        long bursts, looks, start_looks, floor_min;
        double floor, khz, start_khz, top_msec, usec;
};

static void fail(const char *what) {
        fprintf(stderr, "watch: %s: %s\n", what, strerror(errno));
        exit(1);
}

static int64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static int open_file(const char *format, int number, const char *file) {
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "%s%d/%s", format, number, file);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                fail(path);
        return fd;
}

static char *read_file(int fd) {
        static char text[16384];
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

        if (n < 0)
                fail("a thread has gone");
        text[n] = '\0';
        return text;
}

/* The CPU that the thread is on: field 39, counted from behind the last ')'. */
static int cpu_of(const struct thread *thread) {
        char *p = strrchr(read_file(thread->stat), ')');

        for (int field = 2; p && field < 39; field++)
                p = strchr(p + 1, ' ');
        return p ? atoi(p) : 0;
}

/* A field of /proc/TID/sched */
static long sched_field(const struct thread *thread, const char *name) {
        char *p = strstr(read_file(thread->sched), name);

        p = p ? strchr(p, ':') : NULL;
        return p ? strtol(p + 1, NULL, 10) : 0;
}

static long floor_of(const struct thread *thread) {
        return sched_field(thread, "effective uclamp.min");
}

static void print_series(const struct watch *watch) {
        for (int i = 0; i < watch->n_threads; i++) {
                long util = sched_field(&watch->thread[i], "se.avg.util_avg");

                printf("%lld %d %ld -\n", (long long)now_usec(), i, util);
        }
}

static long khz_of(struct watch *watch, int cpu) {
        if (cpu < 0 || cpu >= CPUS_MAX)
                return 0;
        if (watch->cpu_fd[cpu] == 0) {
                int fd = open_file("/sys/devices/system/cpu/cpufreq/policy", cpu, "cpuinfo_max_freq");

                watch->cpu_max_khz[cpu] = atol(read_file(fd));
                close(fd);
                watch->cpu_fd[cpu] = open_file("/sys/devices/system/cpu/cpufreq/policy", cpu, "scaling_cur_freq");
        }
        return atol(read_file(watch->cpu_fd[cpu]));
}

/* Who used most of the last interval, and at least half of it; -1 if nobody did. */
static int find_owner(struct watch *watch, int64_t interval_usec) {
        int owner = -1;
        uint64_t most = (uint64_t)interval_usec * 500;

        for (int i = 0; i < watch->n_threads; i++) {
                struct thread *thread = &watch->thread[i];
                uint64_t run = strtoull(read_file(thread->schedstat), NULL, 10);

                thread->delta_nsec = run - thread->run_nsec;
                thread->run_nsec = run;
                if (thread->delta_nsec > most) {
                        most = thread->delta_nsec;
                        owner = i;
                }
        }
        return owner;
}

static void look(struct watch *watch, int64_t begin_usec, int64_t end_usec) {
        struct look *seen = &watch->look[watch->n_looks++];
        int cpu;

        *seen = (struct look){ .begin_usec = begin_usec, .end_usec = end_usec };
        seen->owner = find_owner(watch, end_usec - begin_usec);
        if (seen->owner >= 0) {
                cpu = cpu_of(&watch->thread[seen->owner]);
                seen->khz = khz_of(watch, cpu);
                seen->max_khz = watch->cpu_max_khz[cpu];
                seen->floor = floor_of(&watch->thread[seen->owner]);
        }
        if (watch->trace)
                printf("at %.1f owner %d floor %ld khz %ld\n", (double)(end_usec - watch->look[0].begin_usec) / 1000,
                       seen->owner, seen->floor, seen->khz);
}

/* The looks from first to last are one burst. */
static void add_burst(const struct watch *watch, int first, int last, struct sums *sums) {
        int64_t begin = watch->look[first].begin_usec, end = watch->look[last].end_usec, top = end;

        if (end - begin < watch->least_msec * 1000)
                return;
        for (int i = first; i <= last; i++) {
                const struct look *seen = &watch->look[i];

                if (sums->looks == 0 || seen->floor < sums->floor_min)
                        sums->floor_min = seen->floor;
                sums->looks++;
                sums->floor += (double)seen->floor;
                sums->khz += (double)seen->khz;
                if (seen->end_usec - begin <= watch->least_msec * 1000) {
                        sums->start_looks++;
                        sums->start_khz += (double)seen->khz;
                }
                if (top == end && seen->khz * 10 >= seen->max_khz * 9)
                        top = seen->end_usec < end ? seen->end_usec : end - 1;
        }
        sums->bursts++;
        sums->top_msec += (double)(top - begin) / 1000;
        sums->usec += (double)(end - begin);
}

static void print_sums(const struct watch *watch) {
        struct sums sums = { 0 };
        double n, total;

        for (int first = 0, i; first < watch->n_looks; first = i) {
                for (i = first + 1; i < watch->n_looks && watch->look[i].owner == watch->look[first].owner; i++)
                        ;
                if (watch->look[first].owner >= 0)
                        add_burst(watch, first, i - 1, &sums);
        }
        n = sums.looks > 0 ? (double)sums.looks : 1;
        total = (double)(watch->look[watch->n_looks - 1].end_usec - watch->look[0].begin_usec);
        printf("bursts=%ld share=%.0f floor=%.0f floor_min=%ld mhz=%.0f start_mhz=%.0f top_ms=%.0f\n", sums.bursts,
               100 * sums.usec / total, sums.floor / n, sums.floor_min, sums.khz / n / 1000,
               sums.start_khz / (sums.start_looks > 0 ? (double)sums.start_looks : 1) / 1000,
               sums.top_msec / (sums.bursts > 0 ? (double)sums.bursts : 1));
}

static void open_threads(struct watch *watch, char *tids) {
        for (char *word = strtok(tids, ","); word && watch->n_threads < TIDS_MAX; word = strtok(NULL, ",")) {
                struct thread *thread = &watch->thread[watch->n_threads++];

                thread->tid = atoi(word);
                thread->schedstat = open_file("/proc/", thread->tid, "schedstat");
                thread->stat = open_file("/proc/", thread->tid, "stat");
                thread->sched = open_file("/proc/", thread->tid, "sched");
                thread->run_nsec = strtoull(read_file(thread->schedstat), NULL, 10);
        }
}

int main(int argc, char *argv[]) {
        static const struct option longs[] = { { "tids", required_argument, NULL, 't' },
                                               { "seconds", required_argument, NULL, 's' },
                                               { "every", required_argument, NULL, 'e' },
                                               { "least", required_argument, NULL, 'l' },
                                               { "trace", no_argument, NULL, 'T' },
                                               { "series", no_argument, NULL, 'S' },
                                               { } };
        static struct watch watch = { .seconds = 5, .every_msec = 10, .least_msec = 150 };
        int64_t begin, last;
        int c;

        while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0)
                switch (c) {
                case 't': open_threads(&watch, optarg); break;
                case 's': watch.seconds = atoi(optarg); break;
                case 'e': watch.every_msec = atoi(optarg); break;
                case 'l': watch.least_msec = atoi(optarg); break;
                case 'T': watch.trace = true; break;
                case 'S': watch.series = true; break;
                default: return 2;
                }
        if (watch.n_threads == 0 || watch.seconds <= 0 || watch.every_msec <= 0) {
                fprintf(stderr, "usage: watch --tids TID,TID [--seconds S] [--every MS] [--least MS] [--trace | --series]\n");
                return 2;
        }
        setvbuf(stdout, NULL, _IOLBF, 0); /* a series is ended by a signal */
        begin = last = now_usec();
        while (last - begin < watch.seconds * INT64_C(1000000) && watch.n_looks < LOOKS_MAX) {
                int64_t at;

                usleep((useconds_t)watch.every_msec * 1000);
                at = now_usec();
                if (watch.series)
                        print_series(&watch);
                else
                        look(&watch, last, at);
                last = at;
        }
        if (!watch.series)
                print_sums(&watch);
        return 0;
}
