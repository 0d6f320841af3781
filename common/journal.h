/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries for the journal, sent so that they never wait. A door: journald's socket.
 *
 * Not sd_journal_sendv(): its socket blocks (libsystemd 252,
 * src/libsystemd/sd-journal/journal-send.c), so a journald that is stopped stops whoever logs, once
 * net.unix.max_dgram_qlen entries wait: seen after 11 of them. Here that would leave guests'
 * reports unread. The protocol is a few lines: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* An entry takes at most this many bytes; what is longer loses its last fields. No memfd then. */
#define JOURNAL_ENTRY_MAX 8192U

/* A field as the journal has it: "VMFREQ_DOMAIN", "web1". Without a value it isn't sent. */
struct journal_field {
	const char *name;
	const char *value;
};

/* Whether fd is the journal's, as the value of $JOURNAL_STREAM ("device:inode", or NULL) says. */
bool journal_is_stream(int fd, const char *journal_stream);

/* Writes the entry's bytes as the protocol has them: their number, at most size. A field that has
 * no room is left out. */
size_t journal_put(char *buffer, size_t size, const struct journal_field *fields, size_t n_fields);

/* Opens a socket to send from: a descriptor, or -errno. */
int journal_open(void);

/* Sends one entry to the socket at path. 0, -EAGAIN if journald doesn't take it now, or the errno
 * of sendto(): -ENOENT or -ECONNREFUSED where there is no journald. */
int journal_send(int fd, const char *path, const struct journal_field *fields, size_t n_fields);
