/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small kernel files below a root that a test can replace. A door: one open, one read or write.
 * root_fd is a directory, usually "/"; path is relative to it ("proc/stat", no leading slash). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Opens the directory that stands for "/": a descriptor, or -errno. */
int rootfs_open(const char *root);

/* Reads a whole file as text, with a NUL behind it: its length, -EFBIG if it has size bytes or
 * more, or the errno of open or read. */
int rootfs_read(int root_fd, const char *path, char *buffer, size_t size);

/* The same on a descriptor that stays open, from its start. The cheap way for /proc/stat. */
int rootfs_reread(int fd, char *buffer, size_t size);

/* Reads one line without its newline: its length, or as rootfs_read(). -EBADMSG if there are more. */
int rootfs_read_line(int root_fd, const char *path, char *buffer, size_t size);

/* Reads a file that holds one decimal number. -EINVAL or -ERANGE if it holds something else. */
int rootfs_read_u64(int root_fd, const char *path, uint64_t *ret);

/* Writes text to an existing file in one write. 0, or -errno: the kernel's own reason. */
int rootfs_write(int root_fd, const char *path, const char *text);
