/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limits in a file of /run. */
#include "hostd/limits_file.h"

#include <fcntl.h>
#include <string.h>

#include "common/macro.h"
#include "common/rootfs.h"

int limits_load(const char *path, struct limits *ret)
{
	_cleanup_free_ char *text = malloc(LIMITS_FILE_MAX);
	int r;

	if (!text)
		return -ENOMEM;
	r = rootfs_read(AT_FDCWD, path, text, LIMITS_FILE_MAX);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = limits_parse(ret, text);
	if (r < 0)
		limits_clear(ret);
	return r;
}

static int write_all(int fd, const char *text)
{
	size_t size = strlen(text);

	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += MAX(n, 0);
		size -= (size_t)MAX(n, 0);
	}
	return 0;
}

static int write_new(const char *path, const char *text)
{
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : write_all(fd, text);
}

int limits_save(const char *path, const struct limits *limits)
{
	_cleanup_free_ char *text = limits_format(limits), *new_path = NULL;
	int r;

	if (limits->n == 0)
		return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	if (!text || asprintf(&new_path, "%s.new", path) < 0) {
		new_path = NULL;
		return -ENOMEM;
	}
	r = write_new(new_path, text);
	if (r >= 0 && rename(new_path, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(new_path);
	return r;
}
