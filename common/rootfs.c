/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small kernel files below a root that a test can replace. */
#include "common/rootfs.h"

#include <fcntl.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

int rootfs_open(const char *root)
{
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int rootfs_reread(int fd, char *buffer, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = pread(fd, buffer + used, size - used, (off_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			buffer[used] = '\0';
			return (int)used;
		}
		used += (size_t)n;
	}
	return -EFBIG;
}

int rootfs_read(int root_fd, const char *path, char *buffer, size_t size)
{
	_cleanup_close_ int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return rootfs_reread(fd, buffer, size);
}

int rootfs_read_line(int root_fd, const char *path, char *buffer, size_t size)
{
	int n = rootfs_read(root_fd, path, buffer, size);

	if (n < 0)
		return n;
	if (n > 0 && buffer[n - 1] == '\n')
		buffer[--n] = '\0';
	return strchr(buffer, '\n') ? -EBADMSG : n;
}

int rootfs_read_u64(int root_fd, const char *path, uint64_t *ret)
{
	char text[32];
	int n = rootfs_read_line(root_fd, path, text, sizeof(text));

	return n < 0 ? n : parse_u64(text, ret);
}

int rootfs_write(int root_fd, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(root_fd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	size_t size = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = write(fd, text, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}
