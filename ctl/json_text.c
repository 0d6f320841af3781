/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members of a status document, for printing. */
#include "ctl/json_text.h"

#include "common/macro.h"

struct json_object *json_member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

const char *json_text(struct json_object *object, const char *key, const char *missing)
{
	struct json_object *value = json_member(object, key);

	return value ? json_object_get_string(value) : missing;
}

int64_t json_number(struct json_object *object, const char *key)
{
	return json_object_get_int64(json_member(object, key));
}

bool json_flag(struct json_object *object, const char *key)
{
	return json_object_get_boolean(json_member(object, key));
}

void json_print_concerns(struct json_object *object, FILE *to)
{
	struct json_object *concerns = json_member(object, "concerns");

	if (!json_object_is_type(concerns, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(concerns); i++) {
		struct json_object *concern = json_object_array_get_idx(concerns, i);
		const char *detail = json_text(concern, "detail", "");

		fprintf(to, "  concern: %s%s%s%s: %s\n", json_text(concern, "name", "?"),
			*detail ? " (" : "", detail, *detail ? ")" : "",
			json_text(concern, "text", ""));
	}
}
