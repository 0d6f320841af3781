/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members of the daemons' status documents. */
#include "common/json.h"

void json_add_text(struct json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, json_object_new_string(value));
}

void json_add_number(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

void json_add_flag(struct json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

void json_append_concern(struct json_object *list, const char *name, const char *text,
			 const char *detail)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "name", name);
	json_add_text(object, "text", text);
	if (*detail)
		json_add_text(object, "detail", detail);
	json_object_array_add(list, object);
}
