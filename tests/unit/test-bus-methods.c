/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods of org.vmfreq.Host1 that change something: each allowed and denied by a polkit of our
 * own, and vmfreqctl in front of them. Without dbus-daemon this is skipped. */
#include "tests/unit/test_host_bus.h"

#include <libxml/parser.h>

/* -- what is changed
 * ------------------------------------------------------------------------------*/

static const struct {
	const char *method, *action, *changes;
} methods[] = {
	{"SetLimit", "org.vmfreq.host1.set-limit", "Limit"},
	{"ClearLimit", "org.vmfreq.host1.set-limit", "Limit"},
	{"Release", "org.vmfreq.host1.release-domain", "Released"},
	{"Resume", "org.vmfreq.host1.release-domain", "Released"},
	{"Reload", "org.vmfreq.host1.reload", NULL},
};

static void test_each_allowed(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	begin_hearing(f);
	test_polkit_start(&f->polkit, f->event);
	f->polkit.word = SAY_YES;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		char signal[64];

		f->heard[0] = '\0';
		expect(f, f->client, methods[i].method, "");
		assert_string_equal(f->polkit.action, methods[i].action);
		if (!methods[i].changes)
			continue;
		assert_string_equal(f->polkit.details, "domain=web uuid=" UUID " ");
		snprintf(signal, sizeof(signal), "PropertiesChanged:%s ", methods[i].changes);
		wait_heard(f, signal);
	}
	expect(f, f->client, "SetLimit", "");
	assert_int_equal(host_domain(f->host, 0)->limit.percent, 30);
	expect(f, f->client, "Release", "");
	assert_true(host_domain(f->host, 0)->limit.released);
	test_assert_file(f->dir, "limits",
			 "# What vmfreqctl laid on domains, until the next reboot.\n" UUID
			 " limit=30 released\n");
}

/* "… and change nothing": by whatever word polkit denies it, and without polkit. */
static void test_each_denied(void **state)
{
	static const struct {
		enum test_polkit_word word;
		const char *error;
	} words[] = {{SAY_NO, SD_BUS_ERROR_ACCESS_DENIED},
		     {SAY_PASSWORD, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED}};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		expect(f, f->client, methods[i].method, SD_BUS_ERROR_ACCESS_DENIED);
	test_polkit_start(&f->polkit, f->event);
	for (size_t w = 0; w < ARRAY_SIZE(words); w++)
		for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
			f->polkit.word = words[w].word;
			expect(f, f->client, methods[i].method, words[w].error);
			assert_string_equal(f->polkit.action, methods[i].action);
		}
	assert_int_equal(host_domain(f->host, 0)->limit.percent, LIMIT_NONE);
	assert_false(host_domain(f->host, 0)->limit.released);
	assert_int_not_equal(access(f->limits, F_OK), 0);
}

static void test_root_may(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	if (!f->root)
		TEST_SKIP("this isn't run as root");
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		expect(f, f->root, methods[i].method, "");
}

static void test_what_goes_wrong(void **state)
{
	struct fixture *f = *state;
	sd_bus_message *message;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	test_polkit_start(&f->polkit, f->event);
	f->polkit.word = SAY_YES;
	message = make_call(f->client, DOMAIN_PATH, BUS_DOMAIN_INTERFACE, "SetLimit");
	assert_true(sd_bus_message_append(message, "u", 101) >= 0);
	message = test_call_send(f->event, f->client, message);
	assert_string_equal(test_call_error(message), SD_BUS_ERROR_INVALID_ARGS);
	assert_int_equal(f->polkit.asked, 0);
	sd_bus_message_unref(message);

	/* The limit can't be kept, so it isn't laid. */
	assert_int_equal(mkdir(f->limits, 0755), 0);
	message = call_method(f, f->client, "SetLimit");
	EXPECT(strstr(sd_bus_message_get_error(message)->message, "can't be kept"), "'%s'",
	       sd_bus_message_get_error(message)->message);
	assert_int_equal(host_domain(f->host, 0)->limit.percent, LIMIT_NONE);
	sd_bus_message_unref(message);

	test_write(f->dir, "vmfreq.conf", "[host]\nfloor_max = 200%\n");
	message = call_method(f, f->client, "Reload");
	assert_string_equal(test_call_error(message), BUS_ERROR_BAD_CONFIG);
	EXPECT(strstr(sd_bus_message_get_error(message)->message, "floor_max"), "'%s'",
	       sd_bus_message_get_error(message)->message);
	sd_bus_message_unref(message);
}

/* Its domain stops while polkit thinks: the answer finds no object. */
static void test_domain_goes_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct test_call pending = {};
	sd_bus_message *message;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	test_polkit_start(&f->polkit, f->event);
	f->polkit.word = SAY_LATER;
	message = make_call(f->client, DOMAIN_PATH, BUS_DOMAIN_INTERFACE, "Release");
	assert_true(sd_bus_call_async(f->client, &pending.slot, message, test_call_reply, &pending,
				      0) >= 0);
	sd_bus_message_unref(message);
	for (unsigned i = 0; i < 2000 && f->polkit.asked == 0; i++)
		run_some(f);
	host_take_inventory(f->host, make_inventory(0, 0));
	test_polkit_say_later(&f->polkit, true);
	test_call_wait(f->event, &pending);
	assert_string_equal(test_call_error(pending.reply), SD_BUS_ERROR_UNKNOWN_OBJECT);
	sd_bus_message_unref(pending.reply);
}

/* -- vmfreqctl
 * ------------------------------------------------------------------------------------*/

/* Runs ./vmfreqctl, as nobody if we are root, unless as_root: its exit code, with what it printed
 * on both its outputs. */
static int run_ctl(struct fixture *f, bool as_root, const char *const words[], char *output,
		   size_t size)
{
	_cleanup_close_ int program = open("./vmfreqctl", O_RDONLY | O_CLOEXEC);
	const char *argv[8] = {"vmfreqctl"};
	int out[2], status = -1;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	for (size_t i = 0; words[i]; i++)
		argv[i + 1] = words[i];
	assert_true(program >= 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		if (!as_root && geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(126);
		fexecve(program, (char *const *)argv, environ);
		_exit(127);
	}
	close(out[1]);
	for (unsigned i = 0; i < 2000 && waitpid(pid, &status, WNOHANG) == 0; i++)
		run_some(f);
	while ((n = read(out[0], output + used, size - 1 - used)) > 0)
		used += (size_t)n;
	output[used] = '\0';
	close(out[0]);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

struct ctl_row {
	const char *words[4];
	int code;
	const char *says;
};

static void expect_ctl(struct fixture *f, bool as_root, const struct ctl_row *row)
{
	char output[8192];
	int code = run_ctl(f, as_root, row->words, output, sizeof(output));

	EXPECT(code == row->code && strstr(output, row->says), "vmfreqctl %s %s: %d: %s",
	       row->words[0], row->words[1] ?: "", code, output);
}

static void test_ctl_allowed(void **state)
{
	static const struct ctl_row rows[] = {
		{{"reload"}, 0, ""},
		{{"limit", "web", "40%"}, 0, ""},
		{{"status"}, 0, "at most 40% of the largest CPU"},
		{{"limit", UUID, "none"}, 0, ""},
		{{"release", "web"}, 0, ""},
		{{"status"}, 0, "released by hand"},
		{{"--json", "status"}, 0, "\"released\": true"},
		{{"resume", UUID}, 0, ""},
		{{"release", "wbe"}, 1, "no running domain is called 'wbe'"},
		{{"limit", "web", "101%"}, 64, "'101%' is no limit"},
		{{"limit", "web", "50"}, 64, "'50' is no limit"},
		{{"limit", "web"}, 64, "vmfreqctl limit DOMAIN PERCENT"},
		{{"nonsense"}, 64, "no command 'nonsense'"},
	};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	test_polkit_start(&f->polkit, f->event);
	f->polkit.word = SAY_YES;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_ctl(f, false, &rows[i]);
	assert_int_equal(f->polkit.flags, 1); /* a dialog is welcome */
	f->polkit.word = SAY_NO;
	for (size_t i = 0; f->root && i < ARRAY_SIZE(rows); i++)
		expect_ctl(f, true, &rows[i]);
}

static void test_ctl_denied(void **state)
{
	static const struct ctl_row rows[] = {
		{{"reload"}, 77, "org.vmfreq.host1.reload"},
		{{"limit", "web", "40%"}, 77, "org.vmfreq.host1.set-limit"},
		{{"limit", "web", "none"}, 77, "org.vmfreq.host1.set-limit"},
		{{"release", "web"}, 77, "org.vmfreq.host1.release-domain"},
		{{"resume", "web"}, 77, "org.vmfreq.host1.release-domain"},
	};
	static const struct ctl_row status = {{"status"}, 0, "web (id 7, CID 42)"};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_ctl(f, false, &rows[i]);
	test_polkit_start(&f->polkit, f->event);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_ctl(f, false, &rows[i]);
	f->polkit.word = SAY_PASSWORD;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_ctl(f, false, &rows[i]);
	expect_ctl(f, false, &status);
}

static void test_ctl_alone(void **state)
{
	static const struct ctl_row rows[] = {
		{{"status"}, 1, "neither vmfreq-hostd nor vmfreq-guestd is running here\n"},
		{{"reload"}, 1, "On a host of VMs: systemctl start vmfreq-hostd\n"},
		{{"release", "web"}, 1, "isn't running"},
	};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	host_free(TAKE_PTR(f->host));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_ctl(f, false, &rows[i]);
}

/* -- what is installed
 * ----------------------------------------------------------------------------*/

/* The actions that are asked about are those that polkit is told of. */
static void test_policy_file(_unused_ void **state)
{
	xmlDoc *doc = xmlReadFile(SRCDIR "/systemd/org.vmfreq.policy", NULL, XML_PARSE_NONET);
	unsigned found = 0;

	assert_non_null(doc);
	for (xmlNode *n = xmlDocGetRootElement(doc)->children; n; n = n->next) {
		_cleanup_free_ char *id = (char *)xmlGetProp(n, BAD_CAST "id");

		for (size_t i = 0; id && i < ARRAY_SIZE(methods); i++)
			found |= (unsigned)(strcmp(id, methods[i].action) == 0) << i;
	}
	assert_int_equal(found, (1U << ARRAY_SIZE(methods)) - 1);
	xmlFreeDoc(doc);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_allowed),
		TEST(test_each_denied),
		TEST(test_root_may),
		TEST(test_what_goes_wrong),
		TEST(test_domain_goes_meanwhile),
		TEST(test_ctl_allowed),
		TEST(test_ctl_denied),
		TEST(test_ctl_alone),
		cmocka_unit_test(test_policy_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
