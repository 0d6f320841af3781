/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an error of the kernel means for what we do next. Pure. */
#pragma once

enum fault {
	FAULT_NONE,  /* it worked */
	FAULT_GONE,  /* the thread, the file or the CPU has left: forget it */
	FAULT_AGAIN, /* the same call may work later */
	FAULT_NEVER, /* it won't work here however often it is tried */
};

/* Sorts a result: 0 or more is FAULT_NONE, else -errno. An errno we don't know is FAULT_NEVER, so
 * that a surprise can't become a storm of tries. */
enum fault fault_of(int result);
