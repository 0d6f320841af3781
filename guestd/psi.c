/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of /proc/pressure/{cpu,memory,io}. Pure. */
#include "guestd/psi.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

struct psi_line {
	bool has_avg10, has_total;
	uint32_t avg10_centi;
	uint64_t total_usec;
};

/* "12.34" as 1234; the kernel always prints two decimals. */
static int parse_centi(const char *text, uint32_t *ret)
{
	uint32_t value = 0;
	size_t whole = strspn(text, "0123456789");

	if (whole < 1 || whole > 3 || text[whole] != '.' ||
	    !isdigit((unsigned char)text[whole + 1]) || !isdigit((unsigned char)text[whole + 2]) ||
	    text[whole + 3] != '\0')
		return -EBADMSG;
	for (const char *p = text; *p; p++)
		if (*p != '.')
			value = value * 10 + (uint32_t)(*p - '0');
	if (value > 10000)
		return -EBADMSG;
	*ret = value;
	return 0;
}

/* One "key=value" of a line. */
static int parse_pair(const char *key, const char *value, struct psi_line *line)
{
	if (strcmp(key, "avg10") == 0) {
		if (line->has_avg10)
			return -EBADMSG;
		line->has_avg10 = true;
		return parse_centi(value, &line->avg10_centi);
	}
	if (strcmp(key, "total") == 0) {
		if (line->has_total)
			return -EBADMSG;
		line->has_total = true;
		return parse_u64(value, &line->total_usec) < 0 ? -EBADMSG : 0;
	}
	return 0;
}

/* The pairs behind "some" or "full", up to the end of the line. */
static int parse_pairs(const char *text, size_t size, struct psi_line *ret)
{
	struct psi_line line = {};

	while (size > 0) {
		char word[40], *value;
		size_t n = 0;
		int r;

		if (*text != ' ')
			return -EBADMSG;
		text++, size--;
		while (n < size && text[n] != ' ')
			n++;
		if (n == 0 || n >= sizeof(word))
			return -EBADMSG;
		memcpy(word, text, n);
		word[n] = '\0';
		value = strchr(word, '=');
		if (!value)
			return -EBADMSG;
		*value++ = '\0';
		r = parse_pair(word, value, &line);
		if (r < 0)
			return r;
		text += n, size -= n;
	}
	if (!line.has_avg10 || !line.has_total)
		return -EBADMSG;
	*ret = line;
	return 0;
}

static int parse_line(const char *text, size_t size, struct psi *psi)
{
	struct psi_line line;
	bool some = size >= 4 && strncmp(text, "some", 4) == 0;
	int r;

	if (!some && (size < 4 || strncmp(text, "full", 4) != 0))
		return -EBADMSG;
	if (psi->fields & (some ? PSI_SOME_TOTAL : PSI_FULL_TOTAL))
		return -EBADMSG; /* doubled */
	r = parse_pairs(text + 4, size - 4, &line);
	if (r < 0)
		return r;
	if (some) {
		psi->fields |= PSI_SOME_AVG10 | PSI_SOME_TOTAL;
		psi->some_avg10_centi = line.avg10_centi;
		psi->some_usec = line.total_usec;
	} else {
		psi->fields |= PSI_FULL_AVG10 | PSI_FULL_TOTAL;
		psi->full_avg10_centi = line.avg10_centi;
		psi->full_usec = line.total_usec;
	}
	return 0;
}

int psi_parse(const char *text, struct psi *ret)
{
	struct psi psi = {};

	while (*text) {
		const char *end = strchr(text, '\n');
		int r;

		if (!end)
			return -EBADMSG; /* cut off */
		r = parse_line(text, (size_t)(end - text), &psi);
		if (r < 0)
			return r;
		text = end + 1;
	}
	if (!(psi.fields & PSI_SOME_TOTAL))
		return -EBADMSG;
	*ret = psi;
	return 0;
}
