/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PID 1 of the nested guest's initramfs: loads the drivers of its disk (the names in
 * /modules/order), mounts it and starts the init that is there. In C, since under emulation
 * each fork and exec of a shell script costs half a second.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DISK "/dev/vda"
#define ROOT "/root"
#define INIT "/sbin/init"

enum { DISK_TRIES = 600, DISK_WAIT_USEC = 100 * 1000 };

/* PID 1 that ends is a panic, which the console shows with this line before it. */
static _Noreturn void fail(const char *what)
{
	printf("lab: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "re");
	char name[128], path[160];

	if (!order)
		fail("/modules/order");
	while (fscanf(order, "%127s", name) == 1) {
		int fd;

		snprintf(path, sizeof path, "/modules/%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
			fail(name);
		close(fd);
	}
	fclose(order);
}

static void mount_disk(void)
{
	for (int i = 0; access(DISK, F_OK) < 0; i++) {
		if (i == DISK_TRIES)
			fail(DISK);
		usleep(DISK_WAIT_USEC);
	}
	if (mount(DISK, ROOT, "ext4", MS_NOATIME, NULL) < 0)
		fail("mount of " DISK);
}

static void switch_root(void)
{
	if (mount("/dev", ROOT "/dev", NULL, MS_MOVE, NULL) < 0 || chdir(ROOT) < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		fail("switch to " DISK);
}

int main(void)
{
	mkdir(ROOT, 0755);
	if (mount("dev", "/dev", "devtmpfs", MS_NOSUID, "mode=0755") < 0)
		fail("devtmpfs");
	if (freopen("/dev/console", "w", stdout))
		setvbuf(stdout, NULL, _IOLBF, 0);
	load_modules();
	mount_disk();
	switch_root();
	execl(INIT, INIT, (char *)NULL);
	fail(INIT);
}
