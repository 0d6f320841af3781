/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal's native protocol, as far as we need it. */
#include "common/journal.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/macro.h"

bool journal_is_stream(int fd, const char *journal_stream)
{
	char own[64];
	struct stat stat;

	if (!journal_stream || fstat(fd, &stat) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino);
	return strcmp(own, journal_stream) == 0;
}

/* "NAME=value\n"; with a newline in it, "NAME\n", the value's length in 64 bits, little-endian,
 * "value\n". Its length, or 0 if that is more than size. */
static size_t put_field(char *buffer, size_t size, const struct journal_field *field)
{
	size_t name_size = strlen(field->name), value_size = strlen(field->value);
	bool is_lines = strchr(field->value, '\n') != NULL;
	uint64_t le_size = htole64(value_size);
	char *p = buffer;

	if (name_size + 1 + (is_lines ? sizeof(le_size) : 0) + value_size + 1 > size)
		return 0;
	p = mempcpy(p, field->name, name_size);
	*p++ = is_lines ? '\n' : '=';
	if (is_lines)
		p = mempcpy(p, &le_size, sizeof(le_size));
	p = mempcpy(p, field->value, value_size);
	*p++ = '\n';
	return (size_t)(p - buffer);
}

size_t journal_put(char *buffer, size_t size, const struct journal_field *fields, size_t n_fields)
{
	size_t used = 0;

	for (size_t i = 0; i < n_fields; i++)
		if (fields[i].value)
			used += put_field(buffer + used, size - used, &fields[i]);
	return used;
}

int journal_open(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

int journal_send(int fd, const char *path, const struct journal_field *fields, size_t n_fields)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char entry[JOURNAL_ENTRY_MAX];
	size_t size;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	size = journal_put(entry, sizeof(entry), fields, n_fields);
	/* Named each time rather than connected: a journald that starts anew is found again. */
	if (sendto(fd, entry, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address,
		   sizeof(address)) < 0)
		return -errno;
	return 0;
}
