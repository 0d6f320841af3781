/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Host1 on a private bus: what everybody reads, what is announced, and a bus that goes
 * away. Without dbus-daemon this is skipped. */
#include "tests/unit/test_host_bus.h"

#include <libxml/parser.h>

/* -- what is read
 * ---------------------------------------------------------------------------------*/

static void test_properties(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	expect_property(f, BUS_PATH, "Kernel", "7.3");
	expect_property(f, BUS_PATH, "DryRun", "0");
	expect_property(f, BUS_PATH, "FloorActuator", "off");
	expect_property(f, BUS_PATH, "LibvirtConnected", "0");
	expect_property(f, BUS_PATH, "LibvirtError", "not connected yet");
	expect_property(f, BUS_PATH, "Domains", "1");
	expect_property(f, BUS_PATH, "Guests", "0");
	expect_property(f, DOMAIN_PATH, "Name", "web");
	expect_property(f, DOMAIN_PATH, "UUID", UUID);
	expect_property(f, DOMAIN_PATH, "Id", "7");
	expect_property(f, DOMAIN_PATH, "CID", "42");
	expect_property(f, DOMAIN_PATH, "Connected", "0");
	expect_property(f, DOMAIN_PATH, "Agent", "");
	expect_property(f, DOMAIN_PATH, "Reason", "no vmfreq-guestd is connected");
	expect_property(f, DOMAIN_PATH, "Limit", "100");
	expect_property(f, DOMAIN_PATH, "Released", "0");
}

/* "An unprivileged user can read": all objects with all properties, with no polkit there to ask. */
static void test_everybody_reads(void **state)
{
	struct fixture *f = *state;
	sd_bus_message *reply;
	const char *path;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	reply = call(f, f->client, BUS_PATH, "org.freedesktop.DBus.ObjectManager",
		     "GetManagedObjects");
	assert_string_equal(test_call_error(reply), "");
	assert_true(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}") >= 0);
	assert_true(sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0);
	assert_true(sd_bus_message_read(reply, "o", &path) >= 0);
	assert_string_equal(path, DOMAIN_PATH);
	sd_bus_message_unref(reply);
}

static void test_lookup(void **state)
{
	static const struct {
		const char *method, *text, *error;
	} rows[] = {
		{"GetDomainByName", "web", ""},
		{"GetDomainByUUID", UUID, ""},
		{"GetDomainByName", "we", BUS_ERROR_NO_SUCH_DOMAIN},
		{"GetDomainByUUID", "08000000-0000-0000-0000-000000000000",
		 BUS_ERROR_NO_SUCH_DOMAIN},
		{"GetDomainByUUID", "web", SD_BUS_ERROR_INVALID_ARGS},
	};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		sd_bus_message *message =
			make_call(f->client, BUS_PATH, BUS_INTERFACE, rows[i].method);
		const char *path = "";

		assert_true(sd_bus_message_append(message, "s", rows[i].text) >= 0);
		message = test_call_send(f->event, f->client, message);
		EXPECT(strcmp(test_call_error(message), rows[i].error) == 0, "row %zu: '%s'", i,
		       test_call_error(message));
		if (*rows[i].error == '\0') {
			assert_true(sd_bus_message_read(message, "o", &path) >= 0);
			assert_string_equal(path, DOMAIN_PATH);
		}
		sd_bus_message_unref(message);
	}
}

/* A path of no domain, and one that was never any, are no objects. */
static void test_no_such_object(void **state)
{
	static const char *const paths[] = {BUS_DOMAINS
					    "/_308000000_2d0000_2d0000_2d0000_2d000000000000",
					    BUS_DOMAINS "/web", BUS_DOMAINS "/_3"};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		sd_bus_message *reply =
			call(f, f->client, paths[i], BUS_DOMAIN_INTERFACE, "Release");

		assert_string_equal(test_call_error(reply), SD_BUS_ERROR_UNKNOWN_OBJECT);
		sd_bus_message_unref(reply);
	}
}

/* -- the man page
 * ---------------------------------------------------------------------------------*/

/* Appends a method's or property's line, as the man page has it. */
static void describe(xmlNode *node, FILE *to)
{
	_cleanup_free_ char *name = (char *)xmlGetProp(node, BAD_CAST "name");

	if (xmlStrEqual(node->name, BAD_CAST "property")) {
		_cleanup_free_ char *type = (char *)xmlGetProp(node, BAD_CAST "type");
		bool silent = false;

		for (xmlNode *n = node->children; n; n = n->next)
			silent |= xmlStrEqual(n->name, BAD_CAST "annotation");
		fprintf(to, ".It Vt %s Va %s%s\n", type, name, silent ? "" : " No *");
		return;
	}
	if (!xmlStrEqual(node->name, BAD_CAST "method")) {
		fprintf(to, "an undescribed %s %s\n", node->name, name);
		return;
	}
	fprintf(to, ".It Fn %s", name);
	for (xmlNode *n = node->children; n; n = n->next) {
		_cleanup_free_ char *argument = (char *)xmlGetProp(n, BAD_CAST "name");
		_cleanup_free_ char *type = (char *)xmlGetProp(n, BAD_CAST "type");
		_cleanup_free_ char *direction = (char *)xmlGetProp(n, BAD_CAST "direction");

		if (xmlStrEqual(n->name, BAD_CAST "arg"))
			fprintf(to, " \"%s %s %s\"", direction, type, argument);
	}
	fputs("\n", to);
}

static void describe_object(struct fixture *f, const char *path, const char *interface, FILE *to)
{
	sd_bus_message *reply =
		call(f, f->client, path, "org.freedesktop.DBus.Introspectable", "Introspect");
	const char *xml;
	xmlDoc *doc;

	assert_string_equal(test_call_error(reply), "");
	assert_true(sd_bus_message_read(reply, "s", &xml) >= 0);
	doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
	assert_non_null(doc);
	for (xmlNode *n = xmlDocGetRootElement(doc)->children; n; n = n->next) {
		_cleanup_free_ char *name = (char *)xmlGetProp(n, BAD_CAST "name");

		if (!xmlStrEqual(n->name, BAD_CAST "interface") || strcmp(name, interface) != 0)
			continue;
		for (xmlNode *member = n->children; member; member = member->next)
			if (member->type == XML_ELEMENT_NODE &&
			    !xmlStrEqual(member->name, BAD_CAST "annotation"))
				describe(member, to);
	}
	xmlFreeDoc(doc);
	sd_bus_message_unref(reply);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text that begin so, or all with "", sorted, as one text. The text is cut up. */
static char *sorted_lines(char *text, const char *begin_a, const char *begin_b)
{
	char *lines[256], *result = NULL, *save;
	size_t n = 0, size;
	FILE *to = open_memstream(&result, &size);

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, begin_a, strlen(begin_a)) == 0 ||
		    strncmp(line, begin_b, strlen(begin_b)) == 0) {
			assert_true(n < ARRAY_SIZE(lines));
			lines[n++] = line;
		}
	qsort(lines, n, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%s\n", lines[i]);
	fclose(to);
	return result;
}

/* The man page's items from `begin` to `end`. */
static char *man_items(const char *begin, const char *end)
{
	static char text[65536];
	_cleanup_fclose_ FILE *file = fopen(SRCDIR "/man/org.vmfreq.Host1.5", "re");
	char *from, *to;

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	from = strstr(text, begin);
	to = from ? strstr(from, end) : NULL;
	assert_true(from && to);
	*to = '\0';
	return sorted_lines(from, ".It Fn ", ".It Vt ");
}

/* What introspection says is what org.vmfreq.Host1(5) says: methods with their arguments,
 * properties with their types and whether they have a change signal. */
static void test_man_page(void **state)
{
	static const struct {
		const char *path, *interface, *begin, *end;
	} rows[] = {
		{BUS_PATH, BUS_INTERFACE, ".Sh THE DAEMON", ".Sh A DOMAIN"},
		{DOMAIN_PATH, BUS_DOMAIN_INTERFACE, ".Sh A DOMAIN", ".Sh POLKIT"},
	};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *found = NULL, *sorted = NULL, *documented = NULL;
		size_t size;
		FILE *to = open_memstream(&found, &size);

		describe_object(f, rows[i].path, rows[i].interface, to);
		fclose(to);
		sorted = sorted_lines(found, "", "");
		documented = man_items(rows[i].begin, rows[i].end);
		assert_true(strlen(sorted) > 100);
		assert_string_equal(sorted, documented);
	}
}

/* -- change signals
 * -------------------------------------------------------------------------------*/

static void test_changes(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	begin_hearing(f);
	greet(f);
	wait_heard(f, "PropertiesChanged:Connected ");
	wait_heard(f, "PropertiesChanged:Agent ");
	wait_heard(f, "PropertiesChanged:Reason ");
	wait_heard(f, "PropertiesChanged:Guests ");
	assert_null(strstr(f->heard, ":Limit "));
	expect_property(f, DOMAIN_PATH, "Agent", "test 1");
	expect_property(f, DOMAIN_PATH, "Signal", "proc");
	f->heard[0] = '\0';
	close(TAKE_FD(f->guest));
	wait_heard(f, "PropertiesChanged:Connected ");
	expect_property(f, DOMAIN_PATH, "Connected", "0");
}

/* Reports, as many as they are, change nothing that has a signal. */
static void test_reports_are_silent(void **state)
{
	const struct report_vcpu vcpu = {
		.util_avg = 500, .util_est = 500, .freq_scale = 1024, .uclamp_max = 1024};
	struct message_report report = {.lease_msec = 60000, .n_vcpus = 1};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	begin_hearing(f);
	greet(f);
	wait_heard(f, "PropertiesChanged:Guests ");
	wait_heard(f, "PropertiesChanged:Connected ");
	f->heard[0] = '\0';
	for (unsigned i = 0; i < 50; i++) {
		uint8_t frame[256];
		int n;

		report.sequence = i + 1;
		n = report_put(frame, sizeof(frame), &report, &vcpu);
		assert_true(n > 0);
		assert_int_equal(write(f->guest, frame, (size_t)n), n);
		run_some(f);
	}
	expect_property(f, DOMAIN_PATH, "Reports", "50");
	/* What is announced later comes after what would have been announced before. */
	host_take_inventory(f->host, make_inventory(2, 7));
	wait_heard(f, "InterfacesAdded:");
	assert_null(strstr(f->heard, ":Reports"));
	assert_null(strstr(f->heard, ":Floors"));
	assert_null(strstr(f->heard, ":Reason"));
}

static void test_domains_come_and_go(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	begin_hearing(f);
	host_take_inventory(f->host, make_inventory(2, 7));
	wait_heard(f, "InterfacesAdded:" BUS_DOMAINS
		      "/_308000000_2d0000_2d0000_2d0000_2d000000000000 ");
	wait_heard(f, "PropertiesChanged:Domains ");
	/* An object is its UUID: started again, it has another id. */
	f->heard[0] = '\0';
	host_take_inventory(f->host, make_inventory(2, 9));
	wait_heard(f, "PropertiesChanged:Id ");
	assert_null(strstr(f->heard, "Interfaces"));
	f->heard[0] = '\0';
	host_take_inventory(f->host, make_inventory(0, 0));
	wait_heard(f, "InterfacesRemoved:" DOMAIN_PATH " ");
}

/* -- the bus goes away
 * ----------------------------------------------------------------------------*/

static void test_bus_restarts(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	for (unsigned i = 0; i < 2; i++) {
		test_bus_stop(f->daemon);
		f->daemon = 0;
		f->client = sd_bus_close_unref(f->client);
		f->root = sd_bus_close_unref(f->root);
		/* It works on: a guest is greeted, and nobody listens. */
		if (f->guest < 0)
			greet(f);
		for (unsigned k = 0; k < 100 && !host_domain(f->host, 0)->hello; k++)
			run_some(f);
		assert_non_null(host_domain(f->host, 0)->hello);
		f->daemon = test_bus_start(f->dir);
		f->client = test_bus_client(f->event, false);
		wait_for_answer(f);
		expect_property(f, BUS_PATH, "Guests", "1");
	}
}

static void test_no_bus_at_start(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	host_free(TAKE_PTR(f->host));
	f->client = sd_bus_close_unref(f->client);
	f->root = sd_bus_close_unref(f->root);
	test_bus_stop(f->daemon);
	f->daemon = 0;
	start_host(f);
	run_some(f);
	f->daemon = test_bus_start(f->dir);
	f->client = test_bus_client(f->event, false);
	wait_for_answer(f);
}

/* The name is another's: hostd waits for it, and then has it. */
static void test_name_is_taken(void **state)
{
	struct fixture *f = *state;
	sd_bus *other;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	host_free(TAKE_PTR(f->host));
	other = test_bus_client(f->event, true);
	for (unsigned i = 0; i < 100 && sd_bus_request_name(other, BUS_NAME, 0) < 0; i++)
		run_some(f);
	start_host(f);
	for (unsigned i = 0; i < 30; i++)
		run_some(f);
	sd_bus_flush_close_unref(other);
	wait_for_answer(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_properties),
		TEST(test_everybody_reads),
		TEST(test_lookup),
		TEST(test_no_such_object),
		TEST(test_man_page),
		TEST(test_changes),
		TEST(test_reports_are_silent),
		TEST(test_domains_come_and_go),
		TEST(test_bus_restarts),
		TEST(test_no_bus_at_start),
		TEST(test_name_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
