/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of frequencies on the command line. Pure. */
#include "ctl/frequencies.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

#define ITEM_MAX 40

/* Puts it where it belongs. False if it is there. */
static bool insert(struct frequencies *list, uint64_t khz)
{
	unsigned at = 0;

	while (at < list->n && list->khz[at] > khz)
		at++;
	if (at < list->n && list->khz[at] == khz)
		return false;
	memmove(list->khz + at + 1, list->khz + at, (list->n - at) * sizeof(*list->khz));
	list->khz[at] = khz;
	list->n++;
	return true;
}

static int add(struct frequencies *list, const char *item, char *why, size_t size)
{
	uint64_t khz;

	if (parse_khz(item, &khz) < 0)
		snprintf(why, size, "'%s' is no frequency: write 600MHz,1.2GHz", item);
	else if (khz < FREQUENCIES_MIN_KHZ || khz > FREQUENCIES_MAX_KHZ)
		snprintf(why, size, "%s is not between 1MHz and 100GHz", item);
	else if (list->n == FREQUENCIES_MAX)
		snprintf(why, size, "more than %u frequencies: leave some out", FREQUENCIES_MAX);
	else if (!insert(list, khz))
		snprintf(why, size, "%s is there twice: leave one out", item);
	else
		return 0;
	return -EINVAL;
}

int frequencies_parse(const char *text, struct frequencies *ret, char *why, size_t size)
{
	struct frequencies list = {};

	for (const char *end;; text = end + 1) {
		char item[ITEM_MAX];
		int r = -EINVAL;

		end = strchr(text, ',');
		if (!end)
			end = text + strlen(text);
		if (end - text < ITEM_MAX) {
			memcpy(item, text, (size_t)(end - text));
			item[end - text] = '\0';
			r = add(&list, item, why, size);
		} else {
			snprintf(why, size, "'%.*s...' is no frequency: write 600MHz,1.2GHz",
				 ITEM_MAX, text);
		}
		if (r < 0)
			return r;
		if (*end == '\0')
			break;
	}
	if (list.n < FREQUENCIES_MIN) {
		snprintf(why, size, "one frequency leaves nothing to choose: name %u or more",
			 FREQUENCIES_MIN);
		return -EINVAL;
	}
	*ret = list;
	return 0;
}
