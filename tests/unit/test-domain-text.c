/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ctl/domain_text.c: what is to be pasted is XML, and says the path that it was given. */
#include "tests/unit/test.h"

#include <libxml/parser.h>

#include "ctl/domain_text.h"

#define NASTY "/srv/a,b & <c>'s \"d\"/e.aml"

DEFINE_CLEANUP(xmlDocPtr, xmlFreeDoc)

static char *text_of(void (*print)(FILE *, const char *, unsigned), const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	print(to, path, 4);
	fclose(to);
	return text;
}

/* The element that begins so and ends so, in a domain. */
static xmlDocPtr parse_element(const char *text, const char *begin, const char *end)
{
	_cleanup_free_ char *xml = NULL;
	const char *from = strstr(text, begin), *to = from ? strstr(from, end) : NULL;
	xmlDocPtr document;

	assert_non_null(to);
	assert_true(asprintf(&xml,
			     "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
			     "%.*s</domain>",
			     (int)(to + strlen(end) - from), from) > 0);
	document = xmlReadMemory(xml, (int)strlen(xml), "test", NULL, XML_PARSE_NONET);
	EXPECT(document, "not XML: %s", xml);
	return document;
}

/* The attribute or, for NULL, the text of element number n of that name. */
static void expect_xml(xmlDocPtr document, const char *element, unsigned n, const char *attribute,
		       const char *wanted)
{
	xmlNodePtr node = xmlDocGetRootElement(document)->children;
	xmlChar *value;

	if (strcmp(element, "arg") == 0)
		node = node->children;
	for (; node; node = node->next)
		if (strcmp((const char *)node->name, element) == 0 && n-- == 0)
			break;
	EXPECT(node, "there is no such %s", element);
	value = attribute ? xmlGetProp(node, (const xmlChar *)attribute) : xmlNodeGetContent(node);
	assert_string_equal((const char *)value, wanted);
	xmlFree(value);
}

static void test_acpi(_unused_ void **state)
{
	_cleanup_free_ char *text = text_of(domain_text_acpi, NASTY);
	_cleanup_(xmlFreeDocp) xmlDocPtr document =
		parse_element(text, "<qemu:commandline>", "</qemu:commandline>");

	expect_xml(document, "arg", 0, "value", "-acpitable");
	/* QEMU takes a comma for the next option, but two of them for one that is meant. */
	expect_xml(document, "arg", 1, "value", "file=/srv/a,,b & <c>'s \"d\"/e.aml");
	assert_non_null(strstr(text, "<vcpu> must be 4"));
	assert_non_null(strstr(text, "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"));
}

/* AppArmor's own quotes; there are no commas to double. */
static void test_apparmor(_unused_ void **state)
{
	_cleanup_free_ char *text = text_of(domain_text_acpi, "/srv/a,b c.aml");

	assert_non_null(strstr(text, "/etc/apparmor.d/local/abstractions/libvirt-qemu"));
	assert_non_null(strstr(text, "\n  \"/srv/a,b c.aml\" r,\n"));
}

static void test_dtb(_unused_ void **state)
{
	_cleanup_free_ char *text = text_of(domain_text_dtb, NASTY);
	_cleanup_(xmlFreeDocp) xmlDocPtr document = parse_element(text, "<dtb>", "</dtb>");

	expect_xml(document, "dtb", 0, NULL, NASTY);
	assert_non_null(strstr(text, "<vcpu> must be 4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acpi),
		cmocka_unit_test(test_apparmor),
		cmocka_unit_test(test_dtb),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	xmlCleanupParser();
	return failed;
}
