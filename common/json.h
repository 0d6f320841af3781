/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members of the daemons' status documents. json-c's add functions fail only without memory; what
 * is missing then is missing. */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stdint.h>

void json_add_text(struct json_object *to, const char *key, const char *value);
void json_add_number(struct json_object *to, const char *key, uint64_t value);
void json_add_flag(struct json_object *to, const char *key, bool value);

/* One of "concerns": a name for programs, a text for people; a detail, or "". */
void json_append_concern(struct json_object *list, const char *name, const char *text,
			 const char *detail);
