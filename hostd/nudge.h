/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the host's kernel look at the frequency of a CPU now. A door.
 *
 * A clamp that is written on a running thread changes nothing by itself: schedutil hears of it when
 * the CPU's load tracking has gone on by a period (update_load_avg(), cfs_rq_util_change() in
 * kernel/sched/fair.c), at a tick. Where load tracking counts work its clock goes as slowly as the
 * CPU, so just the CPU that is to become faster is late: at a fifth of the speed by 4 to 8 ms. But a
 * task that comes to a CPU from another one is always heard of (attach_entity_load_avg()). So a
 * thread of ours, which does nothing, comes there and goes to sleep again. */
#pragma once

struct nudge;

int nudge_new(struct nudge **ret);
struct nudge *nudge_free(struct nudge *nudge);

/* 0, or -errno: -EINVAL where no thread of ours may run (it is offline, or outside hostd's cpuset).
 */
int nudge_cpu(struct nudge *nudge, unsigned cpu);
