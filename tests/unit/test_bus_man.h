/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manual page of a D-Bus interface against its introspection: each member of the one is in the
 * other, with the same types. In the page a method is ".It Fn NAME "in s text" "out b done"", below
 * the heading Methods; a property is ".It Vt TYPE Va NAME", below Properties, with " No *" if it
 * has a change signal; a signal is as a method, below Signals, with "s text". */
#pragma once

#include "tests/unit/test.h"

#define TEST_MEMBER_MAX 256U
#define TEST_MEMBERS	128U

/* Each member as a line: "method Reload", "method GetStatus out s json", "property s Version",
 * "property b Connected *". */
struct test_members {
	unsigned n;
	char line[TEST_MEMBERS][TEST_MEMBER_MAX];
};

static inline char *test_member_add(struct test_members *members, const char *kind)
{
	char *line = members->line[members->n++];

	assert_true(members->n <= TEST_MEMBERS);
	snprintf(line, TEST_MEMBER_MAX, "%s", kind);
	return line;
}

static inline void test_member_append(char *line, const char *format, ...) _printf_(2, 3);

static inline void test_member_append(char *line, const char *format, ...)
{
	size_t used = strlen(line);
	va_list args;

	va_start(args, format);
	assert_true(vsnprintf(line + used, TEST_MEMBER_MAX - used, format, args) <
		    (int)(TEST_MEMBER_MAX - used));
	va_end(args);
}

/* The value of an attribute of an XML element, or "". */
static inline const char *test_attribute(const char *element, const char *name, char ret[128])
{
	char key[64];
	const char *p;

	snprintf(key, sizeof(key), " %s=\"", name);
	p = strstr(element, key);
	snprintf(ret, 128, "%.*s", p ? (int)strcspn(p + strlen(key), "\"") : 0,
		 p ? p + strlen(key) : "");
	return ret;
}

/* What an object says of an interface. sd-bus writes an element a line. */
static inline void test_members_of_xml(const char *xml, const char *interface,
				       struct test_members *ret)
{
	_cleanup_free_ char *copy = strdup(xml);
	char *save = NULL, *last = NULL, begin[128], a[128], b[128];
	bool inside = false;

	ret->n = 0;
	snprintf(begin, sizeof(begin), "<interface name=\"%s\">", interface);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strstr(line, "<interface"))
			inside = strstr(line, begin);
		if (!inside)
			continue;
		if (strstr(line, "<method")) {
			last = test_member_add(ret, "method");
			test_member_append(last, " %s", test_attribute(line, "name", a));
		} else if (strstr(line, "<signal")) {
			last = test_member_add(ret, "signal");
			test_member_append(last, " %s", test_attribute(line, "name", a));
		} else if (strstr(line, "<property")) {
			last = test_member_add(ret, "property");
			test_member_append(last, " %s %s *", test_attribute(line, "type", a),
					   test_attribute(line, "name", b));
		} else if (strstr(line, "<annotation") && strstr(line, ".EmitsChangedSignal\"")) {
			last[strlen(last) - strlen(" *")] = '\0'; /* it is said if there is none */
		} else if (strstr(line, "<arg")) {
			test_attribute(line, "direction", a);
			test_member_append(last, "%s%s", *a ? " " : "", a);
			test_member_append(last, " %s %s", test_attribute(line, "type", a),
					   test_attribute(line, "name", b));
		}
	}
}

/* Which members stand below a heading of a page; "" if none do. */
static inline const char *test_kind_below(const char *heading)
{
	return strcasestr(heading, "methods")	   ? "method"
	       : strcasestr(heading, "properties") ? "property"
	       : strcasestr(heading, "signals")	   ? "signal"
						   : "";
}

/* A line of a page with a member in it. */
static inline void test_member_of_line(const char *line, const char *kind,
				       struct test_members *members)
{
	char type[64], name[64], *member;
	int n = 0;

	if (strcmp(kind, "property") == 0) {
		if (sscanf(line, ".It Vt %63s Va %63s%n", type, name, &n) != 2)
			return;
		EXPECT(line[n] == '\0' || strcmp(line + n, " No *") == 0, "what is this: %s", line);
		test_member_append(test_member_add(members, kind), " %s %s%s", type, name,
				   line[n] ? " *" : "");
		return;
	}
	if (*kind == '\0' || sscanf(line, ".It Fn %63s", name) != 1)
		return;
	member = test_member_add(members, kind);
	test_member_append(member, " %s", name);
	for (const char *p = strchr(line, '"'); p; p = strchr(p + strcspn(p + 1, "\"") + 2, '"'))
		test_member_append(member, " %.*s", (int)strcspn(p + 1, "\""), p + 1);
}

/* What a page says, or, unless it is NULL, the part of it with that heading. */
static inline void test_members_of_page(const char *page, const char *part,
					struct test_members *ret)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	const char *kind = "";
	bool inside = false;
	char line[512];

	ret->n = 0;
	assert_true(asprintf(&path, SRCDIR "/man/%s", page) > 0);
	file = fopen(path, "re");
	EXPECT(file, "%s can't be read", path);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, ".Sh ", 4) == 0)
			inside = !part || strcmp(line + 4, part) == 0;
		if (strncmp(line, ".Sh ", 4) == 0 || strncmp(line, ".Ss ", 4) == 0)
			kind = test_kind_below(line + 4);
		if (inside)
			test_member_of_line(line, kind, ret);
	}
}

static inline bool test_members_have(const struct test_members *members, const char *line)
{
	for (unsigned i = 0; i < members->n; i++)
		if (strcmp(members->line[i], line) == 0)
			return true;
	return false;
}

/* page is a file below man/; part is the heading that the interface has in it, or NULL if the page
 * is all of that interface. */
static inline void test_bus_man(const char *page, const char *part, const char *interface,
				const char *xml)
{
	static struct test_members there, said;

	test_members_of_xml(xml, interface, &there);
	test_members_of_page(page, part, &said);
	EXPECT(there.n > 0, "no %s in:\n%s", interface, xml);
	for (unsigned i = 0; i < there.n; i++)
		EXPECT(test_members_have(&said, there.line[i]), "%s doesn't have '%s' of %s", page,
		       there.line[i], interface);
	for (unsigned i = 0; i < said.n; i++)
		EXPECT(test_members_have(&there, said.line[i]), "%s has '%s', but %s doesn't", page,
		       said.line[i], interface);
}
