/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text in a buffer that is kept when the text changes. */
#include "hostd/slot.h"

#include <string.h>

#include "common/macro.h"

int slot_reserve(struct slot *slot, size_t length)
{
	size_t size = MAX(length + 1, 16U);
	char *text;

	if (slot->size > length)
		return 0;
	text = realloc(slot->text, size);
	if (!text)
		return -ENOMEM;
	slot->text = text;
	slot->size = size;
	return 0;
}

int slot_set(struct slot *slot, const char *value)
{
	size_t length = strlen(value);
	int r = slot_reserve(slot, length);

	if (r < 0)
		return r;
	memcpy(slot->text, value, length + 1);
	slot->set = true;
	return 0;
}

const char *slot_get(const struct slot *slot)
{
	return slot->set ? slot->text : NULL;
}

bool slot_is(const struct slot *slot, const char *value)
{
	return slot->set && strcmp(slot->text, value) == 0;
}

void slot_swap(struct slot *a, struct slot *b)
{
	struct slot t = *a;

	*a = *b;
	*b = t;
}
