/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: whether a sched_ext scheduler runs the guest's tasks, from /sys/kernel/sched_ext. */
#include "guestd/sched_ext.h"

#include <string.h>

#include "common/rootfs.h"

#define FOLDER "sys/kernel/sched_ext"

bool sched_ext_read(int root_fd, char ret_name[PROTO_TEXT_MAX + 1])
{
	char state[32];

	ret_name[0] = '\0';
	if (rootfs_read_line(root_fd, FOLDER "/state", state, sizeof(state)) < 0 ||
	    strcmp(state, "enabled") != 0)
		return false;
	/* The name may be gone by now, or be something that no log should see. */
	if (rootfs_read_line(root_fd, FOLDER "/root/ops", ret_name, PROTO_TEXT_MAX + 1) < 0)
		ret_name[0] = '\0';
	for (char *p = ret_name; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	return true;
}
