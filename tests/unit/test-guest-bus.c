/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Guest1: the daemon below a fake root, on a private bus with a polkit of our own;
 * without dbus-daemon this is skipped. */
#include "tests/unit/test_bus.h"
#include "tests/unit/test_bus_man.h"

#include <sys/socket.h>

#include <json.h>

#include "common/log.h"
#include "common/rootfs.h"
#include "guestd/bus.h"
#include "guestd/guest_private.h"

struct fixture {
	char *dir, *address, *config_path;
	int root_fd;
	pid_t daemon;
	struct guest *guest;
	sd_event *event; /* the guest's */
	sd_bus *root, *nobody;
	struct test_polkit polkit;
	unsigned changes; /* PropertiesChanged that came */
	char changed[1024];
};

static int host_fd = -EBADF;

static int open_pair(_unused_ void *userdata, _unused_ uint32_t cid, _unused_ uint32_t port)
{
	int fds[2];

	closep(&host_fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	host_fd = fds[1];
	return fds[0];
}

static void start_guest(struct fixture *f)
{
	const struct guest_options options = {.root_fd = f->root_fd,
					      .config_path = f->config_path,
					      .open = open_pair,
					      .bus_address = f->address};
	struct guest_config config;

	config_defaults(guest_config_keys, guest_config_keys_n, &config);
	config.idle_interval_usec = 20 * USEC_PER_MSEC;
	assert_int_equal(guest_new(&options, &config, &f->guest), 0);
	f->event = guest_event(f->guest);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	log_set_level(getenv("VERBOSE") ? LOG_DEBUG : LOG_EMERG);
	f->dir = test_make_dir();
	f->root_fd = rootfs_open(f->dir);
	assert_true(asprintf(&f->address, "unix:path=%s/bus", f->dir) > 0);
	assert_true(asprintf(&f->config_path, "%s/vmfreq.conf", f->dir) > 0);
	test_write(f->dir, "run/x", "");
	test_write(f->dir, "vmfreq.conf", "[guest]\ncpufreq = no\n");
	test_write(f->dir, "proc/stat", "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 1 1 1 9 1 1 1 1 0 0\n");
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->root = sd_bus_flush_close_unref(f->root);
	f->nobody = sd_bus_flush_close_unref(f->nobody);
	test_polkit_stop(&f->polkit);
	guest_free(f->guest);
	test_bus_stop(f->daemon);
	closep(&host_fd);
	host_fd = -EBADF;
	close(f->root_fd);
	test_remove_dir(f->dir);
	free(f->address);
	free(f->config_path);
	free(f);
	return 0;
}

/* Whether somebody has the name, asked of the bus daemon by a client of ours. */
static bool has_name(struct fixture *f)
{
	return sd_bus_get_name_creds(f->root, GUEST_BUS_NAME, 0, NULL) >= 0;
}

/* Turns until it is there: a generous guard, not a measure. */
static void wait_for_name(struct fixture *f)
{
	for (unsigned i = 0; i < 2000 && !has_name(f); i++)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	assert_true(has_name(f));
}

static int on_change(sd_bus_message *signal, void *userdata, _unused_ sd_bus_error *error)
{
	struct fixture *f = userdata;
	const char *name;

	f->changes++;
	assert_true(sd_bus_message_skip(signal, "s") >= 0);
	assert_true(sd_bus_message_enter_container(signal, 'a', "{sv}") >= 0);
	while (sd_bus_message_enter_container(signal, 'e', "sv") > 0) {
		size_t used = strlen(f->changed);

		assert_true(sd_bus_message_read(signal, "s", &name) >= 0);
		snprintf(f->changed + used, sizeof(f->changed) - used, "%s ", name);
		assert_true(sd_bus_message_skip(signal, "v") >= 0);
		assert_true(sd_bus_message_exit_container(signal) >= 0);
	}
	return 0;
}

/* A bus, the guest on it, and clients that listen. False: there is no dbus-daemon. */
static bool begin(struct fixture *f)
{
	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		return false;
	start_guest(f);
	f->root = test_bus_client(f->event, true);
	f->nobody = test_bus_client(f->event, false);
	wait_for_name(f);
	assert_true(sd_bus_match_signal(f->root, NULL, GUEST_BUS_NAME, GUEST_BUS_PATH,
					"org.freedesktop.DBus.Properties", "PropertiesChanged",
					on_change, f) >= 0);
	return true;
}

static sd_bus_message *call(struct fixture *f, sd_bus *client, const char *interface,
			    const char *method)
{
	sd_bus_message *message = NULL;

	assert_true(sd_bus_message_new_method_call(client, &message, GUEST_BUS_NAME, GUEST_BUS_PATH,
						   interface, method) >= 0);
	return test_call_send(f->event, client, message);
}

static char *get_text(struct fixture *f, const char *property)
{
	sd_bus_message *message = NULL, *reply;
	const char *text = NULL;
	char *copy;

	assert_true(sd_bus_message_new_method_call(f->nobody, &message, GUEST_BUS_NAME,
						   GUEST_BUS_PATH,
						   "org.freedesktop.DBus.Properties", "Get") >= 0);
	assert_true(sd_bus_message_append(message, "ss", GUEST_BUS_INTERFACE, property) >= 0);
	reply = test_call_send(f->event, f->nobody, message);
	EXPECT(!sd_bus_message_is_method_error(reply, NULL), "%s: %s", property,
	       test_call_error(reply));
	assert_true(sd_bus_message_read(reply, "v", "s", &text) >= 0);
	copy = strdup(text);
	sd_bus_message_unref(reply);
	return copy;
}

static void expect_text(struct fixture *f, const char *property, const char *text)
{
	_cleanup_free_ char *there = get_text(f, property);

	EXPECT(strstr(there, text) && (*text || !*there), "%s is '%s', not '%s'", property, there,
	       text);
}

static void send_hello(void)
{
	static struct message_hello hello;
	uint8_t buffer[512];
	int n;

	hello = (struct message_hello){.minor = PROTO_MINOR,
				       .fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
				       .lease_max_msec = 300,
				       .agent = "a host"};
	n = hello_put(buffer, sizeof(buffer), &hello);
	assert_int_equal(write(host_fd, buffer, (size_t)n), n);
}

static void wait_for_changes(struct fixture *f, unsigned n)
{
	for (unsigned i = 0; i < 2000 && f->changes < n; i++)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	assert_int_equal(f->changes, n);
}

static void stream(struct fixture *f)
{
	for (unsigned i = 0; i < 2000 && host_fd < 0; i++)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	send_hello();
	for (unsigned i = 0; i < 2000 && f->guest->reports == 0; i++)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	assert_true(f->guest->reports > 0);
}

/* -- tests -- */

static void test_introspection(void **state)
{
	struct fixture *f = *state;
	sd_bus_message *reply;
	const char *xml;

	if (!begin(f))
		TEST_SKIP("there is no dbus-daemon");
	reply = call(f, f->nobody, "org.freedesktop.DBus.Introspectable", "Introspect");
	assert_true(sd_bus_message_read(reply, "s", &xml) >= 0);
	test_bus_man("org.vmfreq.Guest1.5", NULL, GUEST_BUS_INTERFACE, xml);
	sd_bus_message_unref(reply);
}

/* A change is said once, and samples and reports not at all. */
static void test_changes(void **state)
{
	struct fixture *f = *state;

	if (!begin(f))
		TEST_SKIP("there is no dbus-daemon");
	f->changed[0] = '\0';
	f->changes = 0;
	expect_text(f, "HostAgent", "");
	stream(f);
	wait_for_changes(f, 1);
	assert_non_null(strstr(f->changed, "Connected "));
	assert_non_null(strstr(f->changed, "Connection "));
	assert_non_null(strstr(f->changed, "HostAgent "));
	expect_text(f, "Connection", "streaming to CID 2 port 9213 (a host)");
	expect_text(f, "HostAgent", "a host");
	for (uint64_t before = f->guest->reports; f->guest->reports < before + 5;)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	assert_int_equal(f->changes, 1);

	f->changed[0] = '\0';
	test_write(f->dir, "sys/kernel/sched_ext/state", "enabled\n");
	f->guest->looked_usec -= 10 * USEC_PER_SEC;
	wait_for_changes(f, 2);
	assert_string_equal(f->changed, "Concerns ");
}

static void test_status(void **state)
{
	static const char *const members[] = {"\"version\":",
					      "\"connected\":true",
					      "\"host_agent\":\"a host\"",
					      "\"reports\":",
					      "\"signal\":\"proc\"",
					      "\"cpufreq\":\"none\"",
					      "\"cpufreq_reason\":\"this guest has",
					      "{\"name\":\"no_cpufreq\",\"text\":\"",
					      "\"config_error\":\"\"",
					      "\"cpus\":[{\"cpu\":0,\"util_avg\":"};
	struct fixture *f = *state;
	struct json_object *status;
	sd_bus_message *reply;
	const char *json;

	if (!begin(f))
		TEST_SKIP("there is no dbus-daemon");
	stream(f);
	reply = call(f, f->nobody, GUEST_BUS_INTERFACE, "GetStatus");
	assert_true(sd_bus_message_read(reply, "s", &json) >= 0);
	status = json_tokener_parse(json);
	assert_non_null(status);
	json = json_object_to_json_string_ext(status, JSON_C_TO_STRING_PLAIN);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		EXPECT(strstr(json, members[i]), "no %s in %s", members[i], json);
	json_object_put(status);
	sd_bus_message_unref(reply);
}

/* Everybody may read; root may reload, and nobody else but by polkit's word. */
static void test_reload(void **state)
{
	struct fixture *f = *state;
	sd_bus_message *reply;

	if (!begin(f))
		TEST_SKIP("there is no dbus-daemon");
	test_polkit_start(&f->polkit, f->event);
	f->polkit.word = SAY_NO;
	reply = call(f, f->nobody, GUEST_BUS_INTERFACE, "Reload");
	assert_string_equal(test_call_error(reply), SD_BUS_ERROR_ACCESS_DENIED);
	assert_string_equal(f->polkit.action, GUEST_BUS_RELOAD);
	assert_true(f->guest->config.cpufreq);
	sd_bus_message_unref(reply);

	f->polkit.word = SAY_YES;
	reply = call(f, f->nobody, GUEST_BUS_INTERFACE, "Reload");
	assert_string_equal(test_call_error(reply), "");
	assert_false(f->guest->config.cpufreq);
	expect_text(f, "CpufreqReason", "cpufreq = no");
	sd_bus_message_unref(reply);
	assert_int_equal(f->polkit.asked, 2);

	test_write(f->dir, "vmfreq.conf", "[guest]\nlease = soon\ncpufreq = yes\n");
	if (geteuid() != 0) {
		print_message("not root: polkit is asked about everybody\n");
		return;
	}
	reply = call(f, f->root, GUEST_BUS_INTERFACE, "Reload");
	assert_string_equal(test_call_error(reply), GUEST_BUS_BAD_CONFIG);
	assert_non_null(
		strstr(sd_bus_message_get_error(reply)->message, "/vmfreq.conf:2: lease: 'soon'"));
	assert_false(f->guest->config.cpufreq);
	expect_text(f, "ConfigError", "/vmfreq.conf:2: lease: 'soon'");
	sd_bus_message_unref(reply);
	assert_int_equal(f->polkit.asked, 2);
}

/* What vmfreqctl prints, and its exit code; the daemon's loop goes on meanwhile. */
static int run_ctl(struct fixture *f, const char *option, const char *command, char ret[4096])
{
	int out[2], status = -1;
	pid_t pid;
	ssize_t n;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		execl("./vmfreqctl", "vmfreqctl", option, command, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	for (unsigned i = 0; i < 2000 && waitpid(pid, &status, WNOHANG) == 0; i++)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	n = read(out[0], ret, 4095);
	ret[MAX(n, 0)] = '\0';
	close(out[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* In a guest, vmfreqctl shows the guest. */
static void test_vmfreqctl(void **state)
{
	static const char *const wanted[] = {
		"vmfreq-guestd ",
		"  host:      streaming to CID 2 port 9213 (a host)",
		"  signal:    proc -- a sched_ext scheduler runs the tasks",
		"  cpufreq:   none -- this guest has no cpufreq",
		"  concern: sched_ext (scx_lavd): ",
		"  concern: no_cpufreq: ",
		"     CPU util_avg util_est delivered   MHz\n       0 "};
	struct fixture *f = *state;
	char text[4096];

	test_write(f->dir, "sys/kernel/sched_ext/state", "enabled\n");
	test_write(f->dir, "sys/kernel/sched_ext/root/ops", "scx_lavd\n");
	if (!begin(f))
		skip();
	stream(f);
	assert_int_equal(run_ctl(f, "--", "status", text), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		EXPECT(strstr(text, wanted[i]), "no '%s' in:\n%s", wanted[i], text);
	assert_int_equal(run_ctl(f, "--json", "status", text), 0);
	EXPECT(strstr(text, "{ \"guest\": { \"version\": ") == text, "%s", text);
	if (geteuid() == 0) {
		assert_int_equal(run_ctl(f, "--", "reload", text), 0);
		assert_false(f->guest->config.cpufreq);
		test_write(f->dir, "vmfreq.conf", "[guest]\nlease = soon\n");
		assert_int_equal(run_ctl(f, "--", "reload", text), 1);
		EXPECT(strstr(text, "/vmfreq.conf:2: lease: 'soon'"), "%s", text);
		assert_int_equal(run_ctl(f, "--", "status", text), 0);
		EXPECT(strstr(text, "  not reloaded: "), "%s", text);
	}
}

/* The daemon works without a bus, comes to it when it appears, and again after it was restarted. */
static void test_bus_comes_and_goes(void **state)
{
	struct fixture *f = *state;

	start_guest(f);
	stream(f);
	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	for (unsigned i = 0; i < 2; i++) {
		f->root = test_bus_client(f->event, true);
		f->nobody = test_bus_client(f->event, false);
		wait_for_name(f);
		expect_text(f, "Connection", "streaming");
		f->root = sd_bus_flush_close_unref(f->root);
		f->nobody = sd_bus_flush_close_unref(f->nobody);
		test_bus_stop(f->daemon);
		for (uint64_t before = f->guest->reports; f->guest->reports < before + 3;)
			assert_true(sd_event_run(f->event, 10000) >= 0);
		f->daemon = test_bus_start(f->dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_introspection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vmfreqctl, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bus_comes_and_goes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
