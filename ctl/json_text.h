/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members of a status document, for printing: what isn't there is empty, 0 or false. */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* NULL if it isn't there, or null. */
struct json_object *json_member(struct json_object *object, const char *key);

/* A member's text, or `missing`. */
const char *json_text(struct json_object *object, const char *key, const char *missing);
int64_t json_number(struct json_object *object, const char *key);
bool json_flag(struct json_object *object, const char *key);

/* Its "concerns", a line each: "  concern: NAME (DETAIL): TEXT". */
void json_print_concerns(struct json_object *object, FILE *to);
