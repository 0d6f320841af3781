/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's eye, in the host VM: follows a few threads (a guest's vCPUs) and the CPUs under them, without vmfreq's help.
 *
 *   watch --tids TID,TID [--seconds S] [--every MS] [--trace]
 *
 * One task of the guest is on one vCPU at a time: the thread that used most of an interval carries it. When another thread
 * takes over, the task has hopped; from then on the time counts until the CPU under it runs at 90 % of its highest frequency.
 *
 * --trace prints a line for each look:   at MSEC owner INDEX floor F khz KHZ   (owner -1: nobody)
 * and always, at the end, one line of   key=value   words:
 *   looks=N busy_share=PERCENT        how much of the time somebody carried the task
 *   floor=MEAN floor_min=LEAST        effective uclamp.min of the carrier (/proc/TID/sched), 0..1024
 *   mhz=MEAN                          frequency under the carrier
 *   hops=N reached=N reach_ms=MEDIAN  hops, those that reached 90 %, and the time that took (those that never did count
 *                                     with the time until the next hop)
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

enum { TIDS_MAX = 16, HOPS_MAX = 4096, CPUS_MAX = 64 };

struct thread {
        int tid, schedstat, stat, sched;
        uint64_t run_nsec, delta_nsec;
};

struct watch {
        struct thread thread[TIDS_MAX];
        int n_threads, seconds, every_msec;
        bool trace;
        int cpu_fd[CPUS_MAX];
        long cpu_max_khz[CPUS_MAX];

        int owner;
        int64_t hopped_usec;
        bool reached;
        long looks, busy, hops, reached_hops;
        double floor_sum, khz_sum;
        long floor_min;
        double reach_msec[HOPS_MAX];
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

static long floor_of(const struct thread *thread) {
        char *p = strstr(read_file(thread->sched), "effective uclamp.min");

        p = p ? strchr(p, ':') : NULL;
        return p ? strtol(p + 1, NULL, 10) : 0;
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

static void end_hop(struct watch *watch, int64_t at_usec) {
        if (watch->hops > 0 && watch->hops <= HOPS_MAX)
                watch->reach_msec[watch->hops - 1] = (double)(at_usec - watch->hopped_usec) / 1000;
}

static void look(struct watch *watch, int64_t begin_usec, int64_t at_usec, int64_t interval_usec) {
        int owner = find_owner(watch, interval_usec), cpu;
        long floor = 0, khz = 0;

        watch->looks++;
        if (owner >= 0) {
                if (watch->owner >= 0 && owner != watch->owner) {
                        if (!watch->reached)
                                end_hop(watch, at_usec);
                        watch->hops++;
                        watch->hopped_usec = at_usec - interval_usec;
                        watch->reached = false;
                }
                watch->owner = owner;
                cpu = cpu_of(&watch->thread[owner]);
                khz = khz_of(watch, cpu);
                floor = floor_of(&watch->thread[owner]);
                watch->busy++;
                watch->floor_sum += (double)floor;
                watch->khz_sum += (double)khz;
                if (watch->busy == 1 || floor < watch->floor_min)
                        watch->floor_min = floor;
                if (watch->hops > 0 && !watch->reached && khz * 10 >= watch->cpu_max_khz[cpu] * 9) {
                        watch->reached = true;
                        watch->reached_hops++;
                        end_hop(watch, at_usec);
                }
        }
        if (watch->trace)
                printf("at %.1f owner %d floor %ld khz %ld\n", (double)(at_usec - begin_usec) / 1000, owner, floor, khz);
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void print_sums(struct watch *watch) {
        long n = watch->hops < HOPS_MAX ? watch->hops : HOPS_MAX;
        double busy = watch->busy > 0 ? (double)watch->busy : 1;

        /* the last hop was cut off by our own end */
        if (n > 0 && !watch->reached)
                n--;
        qsort(watch->reach_msec, (size_t)n, sizeof(double), compare);
        printf("looks=%ld busy_share=%.0f floor=%.0f floor_min=%ld mhz=%.0f hops=%ld reached=%ld reach_ms=%.0f\n",
               watch->looks, 100.0 * (double)watch->busy / (double)watch->looks, watch->floor_sum / busy, watch->floor_min,
               watch->khz_sum / busy / 1000, n, watch->reached_hops, n > 0 ? watch->reach_msec[n / 2] : -1.0);
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
                                               { "trace", no_argument, NULL, 'T' },
                                               { } };
        static struct watch watch = { .seconds = 5, .every_msec = 10, .owner = -1 };
        int64_t begin, last;
        int c;

        while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0)
                switch (c) {
                case 't': open_threads(&watch, optarg); break;
                case 's': watch.seconds = atoi(optarg); break;
                case 'e': watch.every_msec = atoi(optarg); break;
                case 'T': watch.trace = true; break;
                default: return 2;
                }
        if (watch.n_threads == 0 || watch.seconds <= 0 || watch.every_msec <= 0) {
                fprintf(stderr, "usage: watch --tids TID,TID [--seconds S] [--every MS] [--trace]\n");
                return 2;
        }
        begin = last = now_usec();
        while (last - begin < watch.seconds * INT64_C(1000000)) {
                int64_t at;

                usleep((useconds_t)watch.every_msec * 1000);
                at = now_usec();
                look(&watch, begin, at, at - last);
                last = at;
        }
        print_sums(&watch);
        return 0;
}
