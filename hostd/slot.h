/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text in a buffer that is kept when the text changes, so that a shorter one needs no memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised: no text. What `text` points to is the slot's, to be freed at its end. */
struct slot {
	char *text;
	size_t size;
	bool set;
};

/* Makes room for so many characters: after it, setting a text of that length can't fail. -ENOMEM.
 */
int slot_reserve(struct slot *slot, size_t length);

/* Copies the text. -ENOMEM, with the slot as it was. */
int slot_set(struct slot *slot, const char *value);

/* Its text; NULL if there is none. */
const char *slot_get(const struct slot *slot);

bool slot_is(const struct slot *slot, const char *value);
void slot_swap(struct slot *a, struct slot *b);
