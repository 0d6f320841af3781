/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd's status document as a table for people. */
#pragma once

#include <json.h>
#include <stdio.h>

/* Prints it. -EBADMSG if it isn't such a document. */
int guest_text(struct json_object *status, FILE *to);
