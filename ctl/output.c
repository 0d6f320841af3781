/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that is whole or isn't there. */
#include "ctl/output.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/macro.h"

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += MAX(n, 0);
		size -= (size_t)MAX(n, 0);
	}
	return 0;
}

static int write_new(int fd, const void *data, size_t size)
{
	int r = write_all(fd, data, size);

	if (r < 0)
		return r;
	return fchmod(fd, 0644) < 0 || fsync(fd) < 0 ? -errno : 0;
}

int output_write(const char *path, const void *data, size_t size)
{
	_cleanup_free_ char *new_path = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct stat stat;
	int r;

	/* A device, say, which rename() would replace as well. */
	if (lstat(path, &stat) == 0 && !S_ISREG(stat.st_mode))
		return -EEXIST;
	if (asprintf(&new_path, "%s.XXXXXX", path) < 0) {
		new_path = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(new_path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_new(fd, data, size);
	if (r >= 0 && rename(new_path, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(new_path);
	return r;
}

bool output_is_same(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}
