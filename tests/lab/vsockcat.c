/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's netcat for AF_VSOCK, for the guest and the host VM alike.
 *
 *   vsockcat [-p SOURCE_PORT] [-t SECONDS] CID PORT   standard input to the socket, the socket to standard output
 *   vsockcat [-t SECONDS] -l PORT                     serve one connection: first line "peer CID PORT", then what comes
 *
 * It ends when the other side closes. Exit status: 0 closed by the other side, 1 an error, 124 still open after SECONDS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static _Noreturn void die(const char *what) {
        fprintf(stderr, "vsockcat: %s: %s\n", what, strerror(errno));
        exit(1);
}

static void bind_port(int fd, unsigned port) {
        struct sockaddr_vm sa = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port };

        if (bind(fd, (struct sockaddr *) &sa, sizeof sa) < 0)
                die("bind");
}

static int dial(unsigned cid, unsigned port, unsigned source) {
        struct sockaddr_vm sa = { .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
        int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

        if (fd < 0)
                die("socket");
        if (source)
                bind_port(fd, source);
        if (connect(fd, (struct sockaddr *) &sa, sizeof sa) < 0)
                die("connect");
        return fd;
}

static int serve(unsigned port) {
        struct sockaddr_vm peer;
        socklen_t len = sizeof peer;
        int conn, fd = socket(AF_VSOCK, SOCK_STREAM, 0);

        if (fd < 0)
                die("socket");
        bind_port(fd, port);
        if (listen(fd, 1) < 0)
                die("listen");
        conn = accept(fd, (struct sockaddr *) &peer, &len);
        if (conn < 0)
                die("accept");
        printf("peer %u %u\n", peer.svm_cid, peer.svm_port);
        fflush(stdout);
        close(fd);
        return conn;
}

/* false: nothing more comes from there */
static bool copy(int from, int to) {
        char buf[4096];
        ssize_t n = read(from, buf, sizeof buf);

        if (n <= 0)
                return false;
        for (ssize_t at = 0, w; at < n; at += w) {
                w = write(to, buf + at, (size_t) (n - at));
                if (w <= 0)
                        return false;
        }
        return true;
}

static int pump(int conn) {
        struct pollfd pfds[] = { { .fd = conn, .events = POLLIN }, { .fd = 0, .events = POLLIN } };

        for (;;) {
                if (poll(pfds, 2, -1) < 0)
                        die("poll");
                if (pfds[0].revents && !copy(conn, 1))
                        return 0;
                if (pfds[1].revents && !copy(0, conn))
                        pfds[1].fd = -1; /* the socket stays open: the other side decides */
        }
}

static void out_of_time(int sig) {
        (void) sig;
        _exit(124);
}

int main(int argc, char **argv) {
        unsigned source = 0, listening = 0;
        int opt;

        signal(SIGPIPE, SIG_IGN);
        signal(SIGALRM, out_of_time);
        while ((opt = getopt(argc, argv, "p:t:l:")) != -1)
                switch (opt) {
                case 'p': source = (unsigned) atoi(optarg); break;
                case 't': alarm((unsigned) atoi(optarg)); break;
                case 'l': listening = (unsigned) atoi(optarg); break;
                default: return 2;
                }
        if (listening)
                return pump(serve(listening));
        if (argc - optind != 2) {
                fprintf(stderr, "usage: vsockcat [-p SOURCE_PORT] [-t SECONDS] CID PORT | -l PORT\n");
                return 2;
        }
        return pump(dial((unsigned) atoi(argv[optind]), (unsigned) atoi(argv[optind + 1]), source));
}
