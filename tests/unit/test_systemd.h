/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A socket that stands for systemd's notification socket, and the variables of sd_notify(3). */
#pragma once

#include "tests/unit/test.h"

#include <sys/socket.h>
#include <sys/un.h>

struct systemd {
	char *dir;
	int fd;
};

static inline struct systemd *systemd_new(uint64_t watchdog_usec)
{
	struct systemd *systemd = calloc(1, sizeof(*systemd));
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[32];

	assert_non_null(systemd);
	systemd->dir = test_make_dir();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", systemd->dir);
	systemd->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(systemd->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, true);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)watchdog_usec);
	setenv("WATCHDOG_USEC", text, true);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("WATCHDOG_PID", text, true);
	return systemd;
}

static inline void systemd_free(struct systemd *systemd)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	close(systemd->fd);
	test_remove_dir(systemd->dir);
	free(systemd);
}

/* The next message, if there is one. */
static inline bool systemd_hear(struct systemd *systemd, char *text, size_t size)
{
	ssize_t n = recv(systemd->fd, text, size - 1, 0);

	text[MAX(n, 0)] = '\0';
	return n >= 0;
}

/* How many of the messages that wait hold these words; all of them are taken. */
static inline unsigned systemd_count(struct systemd *systemd, const char *words)
{
	char text[1024];
	unsigned n = 0;

	while (systemd_hear(systemd, text, sizeof(text)))
		n += strstr(text, words) != NULL;
	return n;
}
