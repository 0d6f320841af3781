/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "Did you mean ...?": the known name that is nearest to what somebody wrote. Pure. */
#include "common/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/macro.h"

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static bool is_swapped(const char *a, const char *b)
{
	return same_letter(a[0], b[1]) && same_letter(a[1], b[0]);
}

unsigned nearest_distance(const char *a, const char *b)
{
	/* Three rows of the table are enough: a swap looks two rows back. */
	unsigned rows[3][NEAREST_NAME_MAX + 1];
	size_t n_a = strlen(a), n_b = strlen(b);

	if (n_a > NEAREST_NAME_MAX || n_b > NEAREST_NAME_MAX)
		return (unsigned)(n_a > n_b ? n_a - n_b : n_b - n_a);
	for (unsigned j = 0; j <= n_b; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= n_a; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= n_b; j++) {
			unsigned change = above[j - 1] + !same_letter(a[i - 1], b[j - 1]);

			row[j] = MIN(change, MIN(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && is_swapped(&a[i - 2], &b[j - 2]))
				row[j] = MIN(row[j], rows[(i + 1) % 3][j - 2] + 1);
		}
	}
	return rows[n_a % 3][n_b];
}

void nearest_offer(struct nearest *nearest, const char *name)
{
	unsigned distance = nearest_distance(nearest->word, name);

	if (distance > MAX(strlen(nearest->word) / 3, 1U))
		return;
	if (!nearest->name || distance < nearest->distance) {
		nearest->name = name;
		nearest->distance = distance;
	}
}
