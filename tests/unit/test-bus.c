/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Host1 on a private bus: what everybody reads, what is announced, and a bus that goes
 * away. Without dbus-daemon this is skipped. */
#include "tests/unit/test_bus_man.h"
#include "tests/unit/test_host_bus.h"

#include "hostd/host_private.h"

#define CPUFREQ "sys/devices/system/cpu/cpufreq"

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
	expect_property(f, DOMAIN_PATH, "Floors", "0 0 ");
	expect_property(f, DOMAIN_PATH, "Ceilings", "1024 1024 ");
	f->host->domains[0]->vcpus[1].have =
		(struct plan_have){.floor1024 = 300, .ceiling1024 = 400};
	expect_property(f, DOMAIN_PATH, "Floors", "0 300 ");
	expect_property(f, DOMAIN_PATH, "Ceilings", "1024 400 ");
	expect_property(f, DOMAIN_PATH, "Limit", "100");
	expect_property(f, DOMAIN_PATH, "Released", "0");
	expect_property(f, DOMAIN_PATH, "Goal", "balanced");
	expect_property(f, DOMAIN_PATH, "Weight", "100");
	expect_property(f, DOMAIN_PATH, "FloorMax", "1024");
	expect_property(f, DOMAIN_PATH, "Placement", "1");
	expect_property(f, DOMAIN_PATH, "Feedback", "1");
	expect_property(f, DOMAIN_PATH, "Sections", "");
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

/* What introspection says is what org.vmfreq.Host1(5) says: methods with their arguments,
 * properties with their types and whether they have a change signal. */
static void test_man_page(void **state)
{
	static const struct {
		const char *path, *interface, *part;
	} rows[] = {
		{BUS_PATH, BUS_INTERFACE, "THE DAEMON"},
		{DOMAIN_PATH, BUS_DOMAIN_INTERFACE, "A DOMAIN"},
	};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		sd_bus_message *reply = call(f, f->client, rows[i].path,
					     "org.freedesktop.DBus.Introspectable", "Introspect");
		const char *xml;

		assert_string_equal(test_call_error(reply), "");
		assert_true(sd_bus_message_read(reply, "s", &xml) >= 0);
		test_bus_man("org.vmfreq.Host1.5", rows[i].part, rows[i].interface, xml);
		sd_bus_message_unref(reply);
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

/* A reload that changes what a domain may get tells just what is otherwise. */
static void test_entitlement(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	begin_hearing(f);
	test_write(f->dir, "vmfreq.conf",
		   "[domain w*]\ngoal = energy\nweight = 7\n"
		   "[domain web]\nfloor_max = 50%\nplacement = no\nfeedback = no\n");
	assert_int_equal(host_reload(f->host), 0);
	wait_heard(f, "PropertiesChanged:Sections ");
	wait_heard(f, "PropertiesChanged:Goal ");
	wait_heard(f, "PropertiesChanged:Weight ");
	wait_heard(f, "PropertiesChanged:FloorMax ");
	wait_heard(f, "PropertiesChanged:Placement ");
	wait_heard(f, "PropertiesChanged:Feedback ");
	expect_property(f, DOMAIN_PATH, "Goal", "energy");
	expect_property(f, DOMAIN_PATH, "Weight", "7");
	expect_property(f, DOMAIN_PATH, "FloorMax", "512");
	expect_property(f, DOMAIN_PATH, "Placement", "0");
	expect_property(f, DOMAIN_PATH, "Feedback", "0");
	expect_property(f, DOMAIN_PATH, "Sections",
			"floor_max[web] weight[w*] goal[w*] placement[web] feedback[web] ");
	/* The same, by another section. */
	f->heard[0] = '\0';
	test_write(f->dir, "vmfreq.conf",
		   "[domain w*]\ngoal = energy\nweight = 7\nplacement = no\n"
		   "[domain web]\nfloor_max = 50%\nfeedback = no\n");
	assert_int_equal(host_reload(f->host), 0);
	wait_heard(f, "PropertiesChanged:Sections ");
	assert_null(strstr(f->heard, ":Goal"));
	assert_null(strstr(f->heard, ":Placement"));
	expect_property(f, DOMAIN_PATH, "Sections",
			"floor_max[web] weight[w*] goal[w*] placement[w*] feedback[web] ");
}

/* What takes the use out of floors on the host itself comes, and goes. */
static void test_concerns(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	begin_hearing(f);
	expect_property(f, BUS_PATH, "Concerns", "host_no_cpufreq[] ");
	test_write(f->dir, "sys/kernel/sched_ext/state", "enabled\n");
	host_verify(f->host);
	wait_heard(f, "PropertiesChanged:Concerns ");
	expect_property(f, BUS_PATH, "Concerns", "host_sched_ext[] host_no_cpufreq[] ");
	f->heard[0] = '\0';
	host_verify(f->host);
	host_take_inventory(f->host, make_inventory(2, 7));
	wait_heard(f, "PropertiesChanged:Domains ");
	assert_null(strstr(f->heard, ":Concerns"));
	test_write(f->dir, "sys/kernel/sched_ext/state", "disabled\n");
	host_verify(f->host);
	wait_heard(f, "PropertiesChanged:Concerns ");
	expect_property(f, BUS_PATH, "Concerns", "host_no_cpufreq[] ");
}

static void write_governor(struct fixture *f, unsigned cpu, const char *governor)
{
	static const char *const files[] = {"cpuinfo_min_freq", "cpuinfo_max_freq",
					    "scaling_cur_freq"};
	char path[128], text[8];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), CPUFREQ "/policy%u/%s", cpu, files[i]);
		test_write(f->dir, path, i == 0 ? "600000\n" : "3000000\n");
	}
	snprintf(path, sizeof(path), CPUFREQ "/policy%u/related_cpus", cpu);
	snprintf(text, sizeof(text), "%u\n", cpu);
	test_write(f->dir, path, text);
	snprintf(path, sizeof(path), CPUFREQ "/policy%u/scaling_driver", cpu);
	test_write(f->dir, path, "acpi-cpufreq\n");
	snprintf(path, sizeof(path), CPUFREQ "/policy%u/scaling_governor", cpu);
	test_write(f->dir, path, governor);
}

/* The same concern, about other CPUs, is another value. */
static void test_concern_of_other_cpus(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	host_free(TAKE_PTR(f->host));
	test_write(f->dir, "sys/devices/system/cpu/online", "0-1\n");
	test_write(f->dir, "sys/devices/system/cpu/possible", "0-1\n");
	write_governor(f, 0, "schedutil\n");
	write_governor(f, 1, "performance\n");
	start_host(f);
	wait_for_answer(f);
	begin_hearing(f);
	expect_property(f, BUS_PATH, "Concerns", "performance_governor[CPUs 1] ");
	write_governor(f, 0, "performance\n");
	host_verify(f->host);
	wait_heard(f, "PropertiesChanged:Concerns ");
	expect_property(f, BUS_PATH, "Concerns", "performance_governor[CPUs 0-1] ");
	write_governor(f, 0, "schedutil\n");
	write_governor(f, 1, "schedutil\n");
	f->heard[0] = '\0';
	host_verify(f->host);
	wait_heard(f, "PropertiesChanged:Concerns ");
	expect_property(f, BUS_PATH, "Concerns", "");
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
	assert_null(strstr(f->heard, ":Ceilings"));
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
		TEST(test_entitlement),
		TEST(test_concerns),
		TEST(test_concern_of_other_cpus),
		TEST(test_reports_are_silent),
		TEST(test_domains_come_and_go),
		TEST(test_bus_restarts),
		TEST(test_no_bus_at_start),
		TEST(test_name_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
