/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's load: bursts of work on chosen CPUs, with pauses between them; prints when each burst began, where it ran and
 * how long it took. One static program, for the guest and for the host VM alike.
 *
 *   load [options]
 *     --cpus 0,1       the CPUs to run on, one after the other (default: 0)
 *     --hop MS         go on to the next CPU after this much time, also within a burst (default: with each burst)
 *     --busy MS        a burst is this much time, spinning (default: 10); may be a fraction: 0.2
 *     --work N         a burst is N rounds of a fixed loop instead, however long they take
 *     --mcycles N      a burst is N million cycles instead, counted as scaling_cur_freq x time: emulated CPUs don't slow
 *                      down with their frequency, so this is how a burst gets longer when the frequency is low
 *     --pause MS       sleep between bursts (default: 0)
 *     --period MS      start a burst every MS instead of pausing a fixed time
 *     --count N        this many bursts   | without either, one burst
 *     --seconds S      for this long      |
 *     --quiet          print only the last line
 *
 * A line for each burst:  burst NUMBER cpu CPU at MSEC took MSEC  ("at" counts from the start of the program)
 * and at the end:         total bursts N mean MSEC max MSEC late N   ("late": longer than the period)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CPUS_MAX = 256, ROUND = 20000, SHORT_ROUND = 200, CYCLES_STEP_USEC = 500 };

struct load {
        int cpus[CPUS_MAX], n_cpus, at_cpu;
        long hop_msec, busy_usec, work, mcycles, pause_msec, period_msec, count, seconds;
        bool quiet;
        int64_t hopped_usec;
};

static int64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void sleep_until(int64_t usec) {
        struct timespec t = { .tv_sec = usec / 1000000, .tv_nsec = usec % 1000000 * 1000 };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}

static void spin(int rounds) {
        for (volatile int i = 0; i < rounds; i++)
                ;
}

static void go_to(struct load *l, int index) {
        cpu_set_t set;

        l->at_cpu = index % l->n_cpus;
        CPU_ZERO(&set);
        CPU_SET((size_t) l->cpus[l->at_cpu], &set);
        if (sched_setaffinity(0, sizeof set, &set) < 0) {
                fprintf(stderr, "load: CPU %d: %s\n", l->cpus[l->at_cpu], strerror(errno));
                exit(1);
        }
        l->hopped_usec = now_usec();
}

static void hop_if_due(struct load *l) {
        if (l->hop_msec > 0 && l->n_cpus > 1 && now_usec() - l->hopped_usec >= l->hop_msec * 1000)
                go_to(l, l->at_cpu + 1);
}

static long current_khz(int cpu) {
        char path[96], text[32];
        ssize_t n;
        int fd;

        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", cpu);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
                fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
                exit(1);
        }
        n = read(fd, text, sizeof text - 1);
        close(fd);
        text[n > 0 ? n : 0] = '\0';
        return atol(text);
}

static void burst_of_cycles(struct load *l) {
        int64_t kcycles_left = l->mcycles * INT64_C(1000), last = now_usec();

        while (kcycles_left > 0) {
                long khz = current_khz(l->cpus[l->at_cpu]);
                int64_t now;

                do {
                        spin(ROUND);
                        now = now_usec();
                } while (now - last < CYCLES_STEP_USEC);
                kcycles_left -= khz * (now - last) / 1000000;
                last = now;
                hop_if_due(l);
        }
}

static void burst(struct load *l) {
        int64_t begin = now_usec();

        if (l->mcycles > 0)
                burst_of_cycles(l);
        else if (l->work > 0)
                for (long i = 0; i < l->work; i++) {
                        spin(ROUND);
                        hop_if_due(l);
                }
        else
                while (now_usec() - begin < l->busy_usec) {
                        spin(SHORT_ROUND);
                        hop_if_due(l);
                }
}

static void run(struct load *l) {
        int64_t start = now_usec(), next = start, longest = 0, sum = 0;
        long n, late = 0;

        setvbuf(stdout, NULL, _IOLBF, 0);
        go_to(l, 0);
        for (n = 0; l->seconds > 0 ? now_usec() - start < l->seconds * 1000000 : n < (l->count ?: 1); n++) {
                int cpu = l->cpus[l->at_cpu];
                int64_t begin = now_usec(), took;

                burst(l);
                took = now_usec() - begin;
                sum += took;
                longest = took > longest ? took : longest;
                late += l->period_msec > 0 && took > l->period_msec * 1000;
                if (!l->quiet)
                        printf("burst %ld cpu %d at %.1f took %.1f\n", n, cpu, (double) (begin - start) / 1000,
                               (double) took / 1000);
                if (l->period_msec > 0)
                        while (next <= now_usec())
                                next += l->period_msec * 1000;
                else
                        next = now_usec() + l->pause_msec * 1000;
                if (l->pause_msec > 0 || l->period_msec > 0)
                        sleep_until(next);
                if (l->hop_msec == 0)
                        go_to(l, l->at_cpu + 1);
                else
                        hop_if_due(l);
        }
        printf("total bursts %ld mean %.1f max %.1f late %ld\n", n, n > 0 ? (double) sum / (double) n / 1000 : 0,
               (double) longest / 1000, late);
}

static void parse_cpus(struct load *l, char *list) {
        for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
                if (l->n_cpus == CPUS_MAX)
                        break;
                l->cpus[l->n_cpus++] = atoi(word);
        }
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "cpus", required_argument, NULL, 'c' },   { "hop", required_argument, NULL, 'h' },
                { "busy", required_argument, NULL, 'b' },   { "work", required_argument, NULL, 'w' },
                { "mcycles", required_argument, NULL, 'y' }, { "pause", required_argument, NULL, 'p' },
                { "period", required_argument, NULL, 'r' }, { "count", required_argument, NULL, 'n' },
                { "seconds", required_argument, NULL, 's' }, { "quiet", no_argument, NULL, 'q' },
                { 0 },
        };
        struct load l = { .busy_usec = 10000 };
        int opt;

        while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
                long value = optarg ? atol(optarg) : 0;

                switch (opt) {
                case 'c': parse_cpus(&l, optarg); break;
                case 'h': l.hop_msec = value; break;
                case 'b': l.busy_usec = (long) (atof(optarg) * 1000); break;
                case 'w': l.work = value; break;
                case 'y': l.mcycles = value; break;
                case 'p': l.pause_msec = value; break;
                case 'r': l.period_msec = value; break;
                case 'n': l.count = value; break;
                case 's': l.seconds = value; break;
                case 'q': l.quiet = true; break;
                default: return 2;
                }
        }
        if (l.n_cpus == 0)
                l.n_cpus = 1;
        run(&l);
        return 0;
}
