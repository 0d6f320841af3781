/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bare-metal program that a vCPU runs. No libc; its doors are machine.h's. */
#pragma once

#include "tests/lab/dvfs/mailbox.h"

/* vCPU 0: brings up the others, then does what the mailbox says until it says MAILBOX_OFF. */
void payload_main(struct mailbox *mailbox);

/* The others: sleep, and carry their part of each run. They end with the payload. */
void payload_secondary(struct mailbox *mailbox, uint32_t vcpu);
