/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file behind the ledger. */
#include "hostd/ledger_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/macro.h"
#include "hostd/ledger.h"

#define MAGIC	    "vmfreq-ledger 1 "
#define FILE_MAX    (256L << 20)
#define COMPACT_MIN ((size_t)64 << 10)
#define LOCK_TRIES  8

/* "prior NAME =VALUE #12345678\n" with every byte escaped. */
#define RECORD_MAX (3 * (SETTING_NAME_MAX + SETTING_VALUE_MAX) + 32)

struct ledger_file {
	struct ledger_file_user user;
	char *path, *new_path;
	char boot_id[64];
	int fd;
	size_t bytes;	   /* its length: what is beyond doesn't count. 0: it has no header yet */
	size_t compact_at; /* the length at which it is worth while to write it anew */
	size_t damaged;
	bool torn;  /* there may be something beyond */
	bool stale; /* see ledger_file_spoil() */

	/* Records on their way: to new_fd while the file is written anew. */
	int new_fd;
	int new_error;
	size_t new_bytes, used;
	char buffer[4 * RECORD_MAX];
};

/* -- records ---------------------------------------------------------------------------------- */

static uint32_t checksum(const char *text, size_t length)
{
	uint32_t sum = UINT32_C(2166136261); /* FNV-1a */

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (uint8_t)text[i]) * UINT32_C(16777619);
	return sum;
}

static char *put_escaped(char *p, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;

		if (c > ' ' && c < 0x7f && c != '%') {
			*p++ = *text;
			continue;
		}
		*p++ = '%';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	return p;
}

/* Ends the record that began at `begin`. */
static char *put_end(char *p, const char *begin)
{
	return p + sprintf(p, " #%08" PRIx32 "\n", checksum(begin, (size_t)(p - begin)));
}

static char *put_record(char *p, const char *verb, const char *name, const char *value)
{
	const char *begin = p;

	p = stpcpy(p, verb);
	*p++ = ' ';
	p = put_escaped(p, name);
	if (value) {
		p = stpcpy(p, " =");
		p = put_escaped(p, value);
	}
	return put_end(p, begin);
}

static char *put_header(char *p, const char *boot_id)
{
	const char *begin = p;

	p = stpcpy(p, MAGIC);
	p = put_escaped(p, boot_id);
	return put_end(p, begin);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Undoes put_escaped() in place. */
static int unescape(char *text, size_t max)
{
	char *out = text;

	for (const char *in = text; *in; in++, out++) {
		int high, low;

		if (*in != '%') {
			*out = *in;
			continue;
		}
		high = hex_value(in[1]);
		low = high < 0 ? -1 : hex_value(in[2]);
		if (low < 0 || high * 16 + low == 0)
			return -EBADMSG;
		*out = (char)(high * 16 + low);
		in += 2;
	}
	*out = '\0';
	return (size_t)(out - text) < max ? 0 : -EBADMSG;
}

/* Checks and cuts off the checksum of a line. */
static int take_checksum(char *line)
{
	char *mark = strrchr(line, '#');
	char expect[16];

	if (!mark || mark == line || mark[-1] != ' ')
		return -EBADMSG;
	snprintf(expect, sizeof(expect), "%08" PRIx32, checksum(line, (size_t)(mark - 1 - line)));
	if (strcmp(mark + 1, expect) != 0)
		return -EBADMSG;
	mark[-1] = '\0';
	return 0;
}

/* Splits "VERB NAME =VALUE" or "VERB NAME" (then *ret_value is NULL) and undoes the escapes. */
static int split_record(char *line, char **ret_name, char **ret_value)
{
	char *name = strchr(line, ' '), *value;

	if (!name)
		return -EBADMSG;
	*name++ = '\0';
	value = strchr(name, ' ');
	if (value) {
		*value++ = '\0';
		if (*value++ != '=' || strchr(value, ' ') || unescape(value, SETTING_VALUE_MAX) < 0)
			return -EBADMSG;
	}
	if (unescape(name, SETTING_NAME_MAX) < 0)
		return -EBADMSG;
	*ret_name = name;
	*ret_value = value;
	return 0;
}

/* -- writing ---------------------------------------------------------------------------------- */

/* Writes all of it: 0 or -errno. A short write is one of a full disk. */
static int write_all(int fd, const char *data, size_t length)
{
	ssize_t n;

	do
		n = write(fd, data, length);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -ENOSPC;
}

/* Sends the buffer to the new file. After an error nothing more is written. */
static void flush_new(struct ledger_file *file)
{
	if (file->new_error == 0)
		file->new_error = write_all(file->new_fd, file->buffer, file->used);
	file->new_bytes += file->used;
	file->used = 0;
}

void ledger_file_add(struct ledger_file *file, const char *verb, const char *name,
		     const char *value)
{
	char *p;

	if (file->new_fd >= 0 && sizeof(file->buffer) - file->used < RECORD_MAX)
		flush_new(file);
	p = put_record(file->buffer + file->used, verb, name, value);
	file->used = (size_t)(p - file->buffer);
}

/* Writes header and records to the empty new file. */
static int write_new(struct ledger_file *file)
{
	file->new_error = 0;
	file->new_bytes = 0;
	file->used = (size_t)(put_header(file->buffer, file->boot_id) - file->buffer);
	file->user.dump(file->user.userdata, file);
	flush_new(file);
	return file->new_error;
}

/* Puts the new file in the place of the old. It is locked before it has the name, so whoever opens
 * the name finds a locked file. */
static int replace(struct ledger_file *file)
{
	int r = flock(file->new_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : write_new(file);

	if (r >= 0 && rename(file->new_path, file->path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(file->new_path);
		close(TAKE_FD(file->new_fd));
		return r;
	}
	close(file->fd);
	file->fd = TAKE_FD(file->new_fd);
	file->bytes = file->new_bytes;
	file->torn = file->stale = false;
	return 0;
}

/* Writes the file anew with what is alive. */
static int rewrite(struct ledger_file *file)
{
	int fd = open(file->new_path,
		      O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	file->new_fd = fd;
	r = replace(file);
	if (r < 0)
		file->compact_at = file->bytes + COMPACT_MIN; /* not again at once */
	else
		file->compact_at = MAX(2 * file->bytes, COMPACT_MIN);
	return r;
}

/* Cuts off what a failed append has left behind the last good record. */
static int cut_torn(struct ledger_file *file)
{
	if (!file->torn)
		return 0;
	if (ftruncate(file->fd, (off_t)file->bytes) < 0)
		return -errno;
	file->torn = false;
	return 0;
}

/* A file that has doubled since it was last written is mostly dead, unless it has grown. If it
 * can't be written anew the old one goes on, and only room is lost. */
int ledger_file_begin(struct ledger_file *file)
{
	bool needs_header = file->bytes == 0;

	if (needs_header || file->stale || file->bytes >= file->compact_at) {
		int r = rewrite(file);

		if (r < 0 && needs_header)
			return r;
	}
	file->used = 0;
	return cut_torn(file);
}

int ledger_file_commit(struct ledger_file *file)
{
	int r = write_all(file->fd, file->buffer, file->used);

	if (r < 0) {
		file->torn = true;
		(void)cut_torn(file); /* if not now, then before the next append */
		return r;
	}
	file->bytes += file->used;
	return 0;
}

void ledger_file_spoil(struct ledger_file *file)
{
	file->stale = true;
}

/* -- reading ---------------------------------------------------------------------------------- */

static int load_line(struct ledger_file *file, char *line)
{
	char *name, *value;
	int r = take_checksum(line);

	if (r >= 0)
		r = split_record(line, &name, &value);
	return r < 0 ? r : file->user.load(file->user.userdata, line, name, value);
}

/* Takes in the lines behind the header. *ret_bytes leaves out a last line that is torn. */
static int load_lines(struct ledger_file *file, char *text, size_t length, size_t *ret_bytes)
{
	size_t begin = 0;

	while (begin < length) {
		char *newline = memchr(text + begin, '\n', length - begin);
		size_t end;
		int r;

		if (!newline)
			break;
		*newline = '\0';
		end = (size_t)(newline - text) + 1;
		/* A NUL inside hides the rest from the checksum, so such a line fails too. */
		r = load_line(file, text + begin);
		if (r == -EBADMSG && end == length)
			break;
		if (r == -EBADMSG)
			file->damaged++;
		else if (r < 0)
			return r;
		begin = end;
	}
	*ret_bytes = begin;
	return 0;
}

/* The length of the header if it is of this version and boot. 0 if it is of another boot, or torn:
 * then nothing had been changed yet. -EBADMSG if it is no header. */
static int check_header(const struct ledger_file *file, char *text, size_t length)
{
	char expect[4 * sizeof(file->boot_id) + sizeof(MAGIC)];
	char *newline = memchr(text, '\n', length);
	size_t size;

	if (memcmp(text, MAGIC, MIN(length, strlen(MAGIC))) != 0)
		return -EBADMSG;
	if (!newline)
		return 0;
	size = (size_t)(put_header(expect, file->boot_id) - expect);
	if (length >= size && memcmp(text, expect, size) == 0)
		return (int)size;
	*newline = '\0';
	return take_checksum(text);
}

static int load_text(struct ledger_file *file, char *text, size_t length)
{
	size_t bytes = 0;
	int r, header = check_header(file, text, length);

	if (header < 0)
		return header;
	if (header > 0) {
		r = load_lines(file, text + header, length - (size_t)header, &bytes);
		if (r < 0)
			return r;
	}
	file->bytes = (size_t)header + bytes;
	file->torn = file->bytes < length;
	return 0;
}

static int load_file(struct ledger_file *file)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t used = 0;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_size > FILE_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (used < (size_t)st.st_size) {
		ssize_t n = pread(file->fd, text + used, (size_t)st.st_size - used, (off_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return load_text(file, text, used);
}

/* -- opening and closing ---------------------------------------------------------------------- */

/* Whether the descriptor is still what the path names: whoever held it may have renamed another
 * file over it, or removed it, just before it let go. */
static bool is_current(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) >= 0 && lstat(path, &named) >= 0 && ours.st_dev == named.st_dev &&
	       ours.st_ino == named.st_ino;
}

/* Opens and locks the file that has the name: a descriptor or -errno. */
static int open_locked(const char *path)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		int flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
		_cleanup_close_ int fd = open(path, flags, 0600);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (is_current(fd, path))
			return TAKE_FD(fd);
	}
	return -EBUSY;
}

struct ledger_file *ledger_file_close(struct ledger_file *file)
{
	if (!file)
		return NULL;
	if (file->stale && file->fd >= 0)
		(void)rewrite(file);
	closep(&file->fd);
	free(file->path);
	free(file->new_path);
	free(file);
	return NULL;
}
DEFINE_CLEANUP(struct ledger_file *, ledger_file_close)

void ledger_file_remove(struct ledger_file *file)
{
	unlink(file->path);
	file->stale = false;
}

static char *join(const char *a, const char *b)
{
	char *text = malloc(strlen(a) + strlen(b) + 1);

	if (text)
		stpcpy(stpcpy(text, a), b);
	return text;
}

int ledger_file_open(const char *path, const char *boot_id, const struct ledger_file_user *user,
		     struct ledger_file **ret)
{
	_cleanup_(ledger_file_closep) struct ledger_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return -ENOMEM;
	file->fd = file->new_fd = -EBADF;
	file->user = *user;
	file->compact_at = COMPACT_MIN;
	if (strlen(boot_id) >= sizeof(file->boot_id))
		return -EINVAL;
	strcpy(file->boot_id, boot_id);
	file->path = join(path, "");
	file->new_path = join(path, ".new");
	if (!file->path || !file->new_path)
		return -ENOMEM;
	r = open_locked(path);
	if (r < 0)
		return r;
	file->fd = r;
	r = load_file(file);
	if (r < 0)
		return r;
	if (file->bytes == 0)
		(void)rewrite(file); /* on a full disk ledger_file_begin() tries again */
	*ret = TAKE_PTR(file);
	return 0;
}

size_t ledger_file_damaged(const struct ledger_file *file)
{
	return file->damaged;
}
