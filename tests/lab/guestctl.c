/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host VM's end of the lab's channel into the nested guest (see agent.c, which has the protocol).
 *
 *   guestctl [-t SECONDS] SOCKET run SCRIPT        prints its output, exits with its status
 *   guestctl [-t SECONDS] SOCKET put LOCAL REMOTE  with the local file's mode
 *   guestctl [-t SECONDS] SOCKET get REMOTE LOCAL
 *
 * 124: out of time · 125: the guest did not answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
        AGAIN_SECONDS = 2,
        SYNC_SECONDS = 30,  /* an emulated guest is slow to wake */
        GRACE_SECONDS = 20, /* past the command's own limit, which the agent keeps */
        STATUS_TIMEOUT = 124,
        STATUS_SILENT = 125,
};

static int conn = -1;
static time_t deadline;

static time_t now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec;
}

static _Noreturn void die(int status, const char *what) {
        fprintf(stderr, "guestctl: %s\n", what);
        exit(status);
}

static void dial(const char *path) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        char lock[sizeof sa.sun_path + 8];
        int fd;

        if (strlen(path) >= sizeof sa.sun_path)
                die(2, "the socket's path is too long");
        strcpy(sa.sun_path, path);
        /* QEMU serves one client at a time: queue here, so that a silent guest can be told from a busy one. */
        snprintf(lock, sizeof lock, "%s.lock", path);
        fd = open(lock, O_RDWR | O_CREAT, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) < 0)
                die(STATUS_SILENT, "can't lock the channel");
        conn = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (conn < 0 || connect(conn, (struct sockaddr *) &sa, sizeof sa) < 0)
                die(STATUS_SILENT, "can't connect to the channel: is the guest running?");
}

static void send_all(const char *data, size_t len) {
        while (len > 0) {
                ssize_t n = send(conn, data, len, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        die(STATUS_SILENT, "the channel broke");
                data += n;
                len -= (size_t) n;
        }
}

/* What is said again every few seconds while nothing comes back; NULL: nothing. */
static const char *again;

static int next_byte(void) {
        static char buf[65536];
        static ssize_t have, at;

        while (at >= have) {
                struct pollfd pfd = { .fd = conn, .events = POLLIN };
                time_t left = deadline - now();

                if (left > AGAIN_SECONDS && again)
                        left = AGAIN_SECONDS;
                if (left <= 0)
                        die(STATUS_SILENT, "the guest doesn't answer");
                if (poll(&pfd, 1, (int) left * 1000) == 0) {
                        if (again)
                                send_all(again, strlen(again));
                        continue;
                }
                have = recv(conn, buf, sizeof buf, 0);
                at = 0;
                if (have == 0 || (have < 0 && errno != EINTR))
                        die(STATUS_SILENT, "the channel was closed");
        }
        return (unsigned char) buf[at++];
}

static void next_line(char *line, size_t size) {
        size_t n = 0;
        int c;

        while ((c = next_byte()) != '\n')
                if (n < size - 1)
                        line[n++] = (char) c;
        line[n] = '\0';
}

/* Whatever an earlier client left in the channel is read and dropped. Said again until it is answered: the guest may see
 * the end of the last connection after the first words of this one, and forget both. */
static void synchronise(const char *id) {
        char line[64], want[64], answer[256];

        snprintf(line, sizeof line, "S %s\n", id);
        snprintf(want, sizeof want, "S %s", id);
        send_all(line, strlen(line));
        again = line;
        do
                next_line(answer, sizeof answer);
        while (strcmp(answer, want) != 0);
        again = NULL;
}

static int collect(const char *id, FILE *output) {
        char line[256], got[40], kind;
        long value;

        for (;;) {
                next_line(line, sizeof line);
                if (line[0] == '\0' || line[0] == 'S')
                        continue; /* the answer ("\nS ID\n") to what was said again */
                if (sscanf(line, "%c %39s %ld", &kind, got, &value) != 3 || strcmp(got, id) != 0)
                        die(STATUS_SILENT, "the guest's answer makes no sense");
                if (kind == 'X')
                        return (int) value;
                for (long i = 0; i < value; i++)
                        fputc(next_byte(), kind == 'O' ? output : stderr);
                fflush(output);
        }
}

static char *slurp(const char *path, size_t *ret_len, mode_t *ret_mode) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        char *data;

        if (fd < 0 || fstat(fd, &st) < 0)
                die(2, "can't open the local file");
        data = malloc((size_t) st.st_size + 1);
        if (!data || read(fd, data, (size_t) st.st_size) != st.st_size)
                die(2, "can't read the local file");
        close(fd);
        *ret_len = (size_t) st.st_size;
        *ret_mode = st.st_mode & 07777;
        return data;
}

int main(int argc, char **argv) {
        char line[4096], id[17];
        unsigned long long random = 0;
        FILE *output = stdout;
        char *data = NULL;
        size_t len = 0;
        int seconds = 60, opt;
        mode_t mode;

        while ((opt = getopt(argc, argv, "+t:")) != -1)
                if (opt != 't' || (seconds = atoi(optarg)) <= 0)
                        return 2;
        argv += optind;
        argc -= optind;
        if (argc == 3 && strcmp(argv[1], "run") == 0) {
                data = argv[2];
                len = strlen(data);
                snprintf(line, sizeof line, " %d %zu\n", seconds, len);
        } else if (argc == 4 && strcmp(argv[1], "put") == 0) {
                data = slurp(argv[2], &len, &mode);
                snprintf(line, sizeof line, " %o %zu %s\n", (unsigned) mode, len, argv[3]);
        } else if (argc == 4 && strcmp(argv[1], "get") == 0) {
                snprintf(line, sizeof line, " %s\n", argv[2]);
                output = fopen(argv[3], "w");
                if (!output)
                        die(2, "can't write the local file");
        } else
                die(2, "usage: guestctl [-t SECONDS] SOCKET run SCRIPT | put LOCAL REMOTE | get REMOTE LOCAL");

        if (getrandom(&random, sizeof random, 0) < 0)
                die(2, "no random numbers");
        snprintf(id, sizeof id, "%016llx", random);
        dial(argv[0]);
        deadline = now() + SYNC_SECONDS;
        synchronise(id);
        deadline = now() + seconds + GRACE_SECONDS;

        send_all(argv[1][0] == 'r' ? "R " : argv[1][0] == 'p' ? "W " : "G ", 2);
        send_all(id, strlen(id));
        send_all(line, strlen(line));
        send_all(data, len);
        return collect(id, output);
}
