/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's hand inside the nested guest (lab-agent.service): it runs shell scripts, and writes and reads files, for
 * guestctl.c at the other end of a virtio-serial port. It isn't vsock on purpose: what is under test must not carry the
 * test.
 *
 * Requests, each a line and then LEN bytes:      Answers:
 *   S ID                                           S ID                  the stream is in step again
 *   R ID SECONDS LEN      run with /bin/sh -c      O ID LEN + bytes      its output (E for its errors)
 *   W ID MODE LEN PATH    write a file             X ID STATUS           done; 124 is out of time
 *   G ID PATH             read a file
 *
 * One command runs at a time. If the host end hangs up, what runs is killed and forgotten.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT "/dev/vport0p1"

enum {
        LINE_MAX_BYTES = 1024,
        CHUNK_BYTES = 16 * 1024,
        FRAME_MAX_BYTES = 64 * 1024 * 1024,
        STALLED_MSEC = 15 * 1000, /* a request that stops half way is dropped after this */
        STATUS_TIMEOUT = 124,
};

static int port = -1;
static int signals = -1;

static long long now_msec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static bool write_all(int fd, const void *data, size_t len) {
        const char *p = data;

        while (len > 0) {
                ssize_t n = write(fd, p, len);

                if (n > 0) {
                        p += n;
                        len -= (size_t) n;
                        continue;
                }
                if (n < 0 && errno == EAGAIN) {
                        struct pollfd pfd = { .fd = fd, .events = POLLOUT };

                        if (poll(&pfd, 1, STALLED_MSEC) <= 0 || (pfd.revents & POLLHUP))
                                return false;
                        continue;
                }
                if (n < 0 && errno == EINTR)
                        continue;
                return false;
        }
        return true;
}

static bool answer(const void *data, size_t len, const char *format, ...) {
        char line[LINE_MAX_BYTES];
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(line, sizeof line, format, ap);
        va_end(ap);
        return write_all(port, line, (size_t) n) && write_all(port, data, len);
}

/* -1: nobody is there or the request stalled; 0: nothing yet */
static ssize_t port_read(void *buf, size_t len, int timeout_msec) {
        struct pollfd pfd = { .fd = port, .events = POLLIN };
        ssize_t n;

        if (poll(&pfd, 1, timeout_msec) < 0)
                return errno == EINTR ? 0 : -1;
        if (pfd.revents == 0)
                return 0;
        n = read(port, buf, len);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        return n <= 0 ? -1 : n;
}

static bool read_exactly(char *buf, size_t len) {
        while (len > 0) {
                ssize_t n = port_read(buf, len, STALLED_MSEC);

                if (n <= 0)
                        return false;
                buf += n;
                len -= (size_t) n;
        }
        return true;
}

/* Blocks for as long as there is no request; a signal wakes it when the host end comes or goes. */
static bool read_line(char *line) {
        size_t n = 0;

        while (n < LINE_MAX_BYTES - 1) {
                ssize_t r = port_read(line + n, 1, n == 0 ? -1 : STALLED_MSEC);

                if (r < 0 || (r == 0 && n > 0))
                        return false;
                if (r == 0)
                        continue;
                if (line[n] == '\n') {
                        line[n] = '\0';
                        return true;
                }
                n++;
        }
        return false;
}

static void wait_for_host(void) {
        struct pollfd pfd = { .fd = signals, .events = POLLIN };
        struct signalfd_siginfo si;

        poll(&pfd, 1, 1000);
        while (read(signals, &si, sizeof si) > 0)
                ;
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
}

static pid_t spawn(char *script, int *ret_out, int *ret_err) {
        int out[2], err[2];
        pid_t pid;

        if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
                return -1;
        pid = fork();
        if (pid == 0) {
                sigset_t none;
                int null = open("/dev/null", O_RDONLY);

                sigemptyset(&none);
                sigprocmask(SIG_SETMASK, &none, NULL);
                setsid();
                dup2(null, 0);
                dup2(out[1], 1);
                dup2(err[1], 2);
                execl("/bin/sh", "sh", "-c", script, (char *) NULL);
                _exit(127);
        }
        close(out[1]);
        close(err[1]);
        fcntl(out[0], F_SETFL, O_NONBLOCK);
        fcntl(err[0], F_SETFL, O_NONBLOCK);
        *ret_out = out[0];
        *ret_err = err[0];
        return pid;
}

/* false: the host end is gone */
static bool forward(int *fd, char kind, const char *id) {
        static char chunk[CHUNK_BYTES];
        ssize_t n;

        while ((n = read(*fd, chunk, sizeof chunk)) > 0)
                if (!answer(chunk, (size_t) n, "%c %s %zd\n", kind, id, n))
                        return false;
        if (n == 0) {
                close(*fd);
                *fd = -1;
        }
        return true;
}

static void run(const char *id, int seconds, char *script) {
        long long deadline = now_msec() + seconds * 1000LL;
        int out, err, status = 0;
        bool connected = true, timeout = false;
        pid_t pid = spawn(script, &out, &err);

        if (pid < 0) {
                answer(NULL, 0, "X %s 126\n", id);
                return;
        }
        for (;;) {
                struct pollfd pfds[] = {
                        { .fd = out, .events = POLLIN },
                        { .fd = err, .events = POLLIN },
                        { .fd = signals, .events = POLLIN },
                        { .fd = port }, /* for POLLHUP alone */
                };
                long long left = deadline - now_msec();
                struct signalfd_siginfo si;

                poll(pfds, 4, left > 0 ? (int) left : 0);
                while (read(signals, &si, sizeof si) > 0)
                        ;
                if (waitpid(pid, &status, WNOHANG) == pid)
                        break;
                timeout = now_msec() >= deadline;
                if (out >= 0)
                        connected = forward(&out, 'O', id);
                if (connected && err >= 0)
                        connected = forward(&err, 'E', id);
                if (timeout || !connected || (pfds[3].revents & POLLHUP)) {
                        kill(-pid, SIGKILL);
                        waitpid(pid, &status, 0);
                        break;
                }
        }
        if (out >= 0 && forward(&out, 'O', id) && out >= 0)
                close(out);
        if (err >= 0 && forward(&err, 'E', id) && err >= 0)
                close(err);
        if (timeout)
                status = STATUS_TIMEOUT;
        else
                status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        answer(NULL, 0, "X %s %d\n", id, status);
}

/* Beside the old file and then over it, so that a program that runs can be replaced. */
static int put(const char *path, mode_t mode, const char *data, size_t len) {
        char beside[LINE_MAX_BYTES + 8];
        bool ok;
        int fd;

        snprintf(beside, sizeof beside, "%s.new", path);
        fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
        if (fd < 0)
                return errno;
        ok = write_all(fd, data, len) && fchmod(fd, mode) == 0;
        close(fd);
        return ok && rename(beside, path) == 0 ? 0 : EIO;
}

static void get(const char *id, const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        int status = fd < 0 ? 1 : 0;

        if (fd >= 0)
                forward(&fd, 'O', id);
        if (fd >= 0)
                close(fd);
        answer(NULL, 0, "X %s %d\n", id, status);
}

/* false: out of step, or the host end is gone */
static bool serve(char *line) {
        char id[40], *data;
        unsigned mode;
        size_t len = 0;
        int seconds = 0, at = 0, status;
        bool ok = false;

        if (sscanf(line, "S %39s", id) == 1)
                return answer(NULL, 0, "\nS %s\n", id);
        if (sscanf(line, "G %39s %n", id, &at) == 1 && at > 0) {
                get(id, line + at);
                return true;
        }
        if (sscanf(line, "R %39s %d %zu", id, &seconds, &len) != 3 &&
            (sscanf(line, "W %39s %o %zu %n", id, &mode, &len, &at) != 3 || at == 0))
                return false;
        if (len > FRAME_MAX_BYTES)
                return false;
        data = malloc(len + 1);
        if (data && read_exactly(data, len)) {
                ok = true;
                data[len] = '\0';
                if (line[0] == 'R')
                        run(id, seconds, data);
                else {
                        status = put(line + at, mode, data, len);
                        answer(NULL, 0, "X %s %d\n", id, status);
                }
        }
        free(data);
        return ok;
}

/* What guest.sh waits for: asking the port before somebody listens there would cost the booting guest time. */
static void tell_console(void) {
        static const char words[] = "lab: the agent is here\n";
        int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);

        if (fd < 0)
                return;
        write_all(fd, words, sizeof words - 1);
        close(fd);
}

static int serve_port(const char *path) {
        char line[LINE_MAX_BYTES];
        sigset_t mask;

        port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (port < 0) {
                perror(path);
                return 1;
        }
        sigemptyset(&mask);
        sigaddset(&mask, SIGCHLD);
        sigaddset(&mask, SIGIO);
        sigprocmask(SIG_BLOCK, &mask, NULL);
        signal(SIGPIPE, SIG_IGN);
        signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
        fcntl(port, F_SETOWN, getpid());
        fcntl(port, F_SETFL, O_NONBLOCK | O_ASYNC);

        tell_console();
        for (;;)
                if (!read_line(line) || !serve(line))
                        wait_for_host();
}

int main(int argc, char **argv) {
        if (argc != 2) {
                fprintf(stderr, "usage: agent " PORT "\n");
                return 2;
        }
        return serve_port(argv[1]);
}
