/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real host.c on a private bus, below a made-up root: what the tests of org.vmfreq.Host1 share.
 */
#pragma once

#include "tests/unit/test_bus.h"

#include <sys/socket.h>

#include "hostd/bus.h"
#include "hostd/host.h"
#include "proto/message.h"

#define UUID	    "07000000-0000-0000-0000-000000000000"
#define DOMAIN_PATH BUS_DOMAINS "/_307000000_2d0000_2d0000_2d0000_2d000000000000"
#define CID	    42U

struct fixture {
	char *dir, *ledger, *limits, *config_path;
	pid_t daemon;
	sd_event *event;
	struct host *host;
	sd_bus *client, *root; /* root: NULL if we aren't */
	struct test_polkit polkit;
	int guest;
	char heard[4096]; /* "PropertiesChanged:Limit InterfacesAdded:/org/… " */
};

/* -- a host with one domain
 * -----------------------------------------------------------------------*/

static inline void write_host(const char *root)
{
	test_write(root, "sys/devices/system/cpu/online", "0\n");
	test_write(root, "sys/devices/system/cpu/possible", "0\n");
	test_write(root, "proc/sys/kernel/osrelease", "7.3.1-test\n");
	test_write(root, "proc/sys/kernel/random/boot_id",
		   "11111111-2222-3333-4444-555555555555\n");
}

/* n domains: "web" and, with another UUID, "db". */
static inline struct inventory *make_inventory(size_t n, int id)
{
	static const char *const names[] = {"web", "db"};
	struct inventory *inventory = calloc(1, sizeof(*inventory));

	assert_non_null(inventory);
	inventory->n_domains = n;
	inventory->domains = calloc(MAX(n, 1), sizeof(*inventory->domains));
	assert_non_null(inventory->domains);
	for (size_t i = 0; i < n; i++) {
		struct inventory_domain *domain = &inventory->domains[i];

		domain->id = id + (int)i;
		domain->cid = CID + (uint32_t)i;
		domain->uuid[0] = (uint8_t)(7 + i);
		strcpy(domain->name, names[i]);
		domain->n_vcpus = 2;
		domain->vcpus = calloc(2, sizeof(*domain->vcpus));
		assert_non_null(domain->vcpus);
	}
	return inventory;
}

static inline void start_host(struct fixture *f)
{
	struct host_options options = {.root = f->dir,
				       .ledger_path = f->ledger,
				       .limits_path = f->limits,
				       .config_path = f->config_path};
	struct host_config config = {};

	config_defaults(host_config_keys, host_config_n_keys, &config);
	config.actuator = ACTUATOR_OFF;
	config.placement = PLACE_OFF;
	assert_true(host_new(f->event, &options, &config, &f->host) >= 0);
	host_take_inventory(f->host, make_inventory(1, 7));
	assert_int_equal(host_start_bus(f->host), 0);
}

static inline void run_some(struct fixture *f)
{
	assert_true(sd_event_run(f->event, 10000) >= 0);
}

/* -- calls
 * ----------------------------------------------------------------------------------------*/

static inline sd_bus_message *make_call(sd_bus *bus, const char *path, const char *interface,
					const char *method)
{
	sd_bus_message *call = NULL;

	assert_true(sd_bus_message_new_method_call(bus, &call, BUS_NAME, path, interface, method) >=
		    0);
	return call;
}

static inline sd_bus_message *call(struct fixture *f, sd_bus *bus, const char *path,
				   const char *interface, const char *method)
{
	return test_call_send(f->event, bus, make_call(bus, path, interface, method));
}

/* A method of both objects, by name; SetLimit gets 30. */
static inline sd_bus_message *call_method(struct fixture *f, sd_bus *bus, const char *method)
{
	bool is_daemon = strcmp(method, "Reload") == 0;
	sd_bus_message *message =
		make_call(bus, is_daemon ? BUS_PATH : DOMAIN_PATH,
			  is_daemon ? BUS_INTERFACE : BUS_DOMAIN_INTERFACE, method);

	if (strcmp(method, "SetLimit") == 0)
		assert_true(sd_bus_message_append(message, "u", 30) >= 0);
	return test_call_send(f->event, bus, message);
}

static inline void expect(struct fixture *f, sd_bus *bus, const char *method, const char *error)
{
	sd_bus_message *reply = call_method(f, bus, method);

	EXPECT(strcmp(test_call_error(reply), error) == 0, "%s: '%s' and not '%s'", method,
	       test_call_error(reply), error);
	sd_bus_message_unref(reply);
}

/* Concerns as text: "NAME[DETAIL] " each. */
static inline char *read_concerns(sd_bus_message *message)
{
	const char *name, *detail, *text;
	char *result = NULL;
	size_t size;
	FILE *to = open_memstream(&result, &size);

	assert_true(sd_bus_message_enter_container(message, 'a', "(sss)") >= 0);
	while (sd_bus_message_read(message, "(sss)", &name, &detail, &text) > 0) {
		fprintf(to, "%s[%s] ", name, detail);
		EXPECT(strlen(text) > 20, "%s has no text but '%s'", name, text);
	}
	fclose(to);
	return result;
}

/* "0 1024 " */
static inline char *read_numbers(sd_bus_message *message)
{
	char *result = NULL;
	uint32_t number;
	size_t size;
	FILE *to = open_memstream(&result, &size);

	assert_true(sd_bus_message_enter_container(message, 'a', "u") >= 0);
	while (sd_bus_message_read_basic(message, 'u', &number) > 0)
		fprintf(to, "%u ", number);
	fclose(to);
	return result;
}

/* Sections as text: "KEY[PATTERN] " each. */
static inline char *read_sections(sd_bus_message *message)
{
	const char *key, *pattern;
	char *result = NULL;
	size_t size;
	FILE *to = open_memstream(&result, &size);

	assert_true(sd_bus_message_enter_container(message, 'a', "(ss)") >= 0);
	while (sd_bus_message_read(message, "(ss)", &key, &pattern) > 0)
		fprintf(to, "%s[%s] ", key, pattern);
	fclose(to);
	return result;
}

/* A property as text. */
static inline char *property(struct fixture *f, const char *path, const char *interface,
			     const char *name)
{
	sd_bus_message *message =
		make_call(f->client, path, "org.freedesktop.DBus.Properties", "Get");
	const char *contents, *text;
	char *result = NULL;
	uint64_t number = 0;

	assert_true(sd_bus_message_append(message, "ss", interface, name) >= 0);
	message = test_call_send(f->event, f->client, message);
	EXPECT(*test_call_error(message) == '\0', "%s: %s", name, test_call_error(message));
	assert_true(sd_bus_message_peek_type(message, NULL, &contents) >= 0);
	assert_true(sd_bus_message_enter_container(message, 'v', contents) >= 0);
	if (*contents == 's') {
		assert_true(sd_bus_message_read(message, "s", &text) >= 0);
		result = strdup(text);
	} else if (strcmp(contents, "a(sss)") == 0) {
		result = read_concerns(message);
	} else if (strcmp(contents, "au") == 0) {
		result = read_numbers(message);
	} else if (strcmp(contents, "a(ss)") == 0) {
		result = read_sections(message);
	} else {
		assert_true(sd_bus_message_read_basic(message, *contents, &number) >= 0);
		assert_true(asprintf(&result, "%llu", (unsigned long long)number) > 0);
	}
	sd_bus_message_unref(message);
	return result;
}

static inline void expect_property(struct fixture *f, const char *path, const char *name,
				   const char *value)
{
	_cleanup_free_ char *got = property(
		f, path, strcmp(path, BUS_PATH) == 0 ? BUS_INTERFACE : BUS_DOMAIN_INTERFACE, name);

	EXPECT(strcmp(got, value) == 0, "%s is '%s' and not '%s'", name, got, value);
}

/* -- signals
 * --------------------------------------------------------------------------------------*/

static inline void hear(struct fixture *f, const char *what, const char *which)
{
	size_t used = strlen(f->heard);

	snprintf(f->heard + used, sizeof(f->heard) - used, "%s:%s ", what, which);
}

static inline int on_signal(sd_bus_message *signal, void *userdata, _unused_ sd_bus_error *error)
{
	const char *member = sd_bus_message_get_member(signal), *name;
	struct fixture *f = userdata;

	if (strcmp(member, "PropertiesChanged") != 0) {
		assert_true(sd_bus_message_read(signal, "o", &name) >= 0);
		hear(f, member, name);
		return 0;
	}
	assert_true(sd_bus_message_skip(signal, "s") >= 0);
	assert_true(sd_bus_message_enter_container(signal, 'a', "{sv}") >= 0);
	while (sd_bus_message_enter_container(signal, 'e', "sv") > 0) {
		assert_true(sd_bus_message_read(signal, "s", &name) >= 0);
		hear(f, member, name);
		assert_true(sd_bus_message_skip(signal, "v") >= 0);
		assert_true(sd_bus_message_exit_container(signal) >= 0);
	}
	return 0;
}

static inline void wait_heard(struct fixture *f, const char *what)
{
	for (unsigned i = 0; i < 2000 && !strstr(f->heard, what); i++)
		run_some(f);
	EXPECT(strstr(f->heard, what), "'%s' was not heard, but: %s", what, f->heard);
}

static inline void begin_hearing(struct fixture *f)
{
	assert_true(sd_bus_match_signal_async(f->client, NULL, BUS_NAME, NULL, NULL, NULL,
					      on_signal, NULL, f) >= 0);
	/* A call after it proves that it is installed, and after what was announced at the start.
	 */
	expect_property(f, BUS_PATH, "Domains", "1");
	for (unsigned i = 0; i < 30; i++)
		run_some(f);
	f->heard[0] = '\0';
}

/* -- the fixture
 * ----------------------------------------------------------------------------------*/

static inline void wait_for_answer(struct fixture *f)
{
	for (unsigned i = 0; i < 1000; i++) {
		sd_bus_message *reply = call(f, f->client, BUS_PATH, BUS_INTERFACE, "GetStatus");
		bool there = *test_call_error(reply) == '\0';

		sd_bus_message_unref(reply);
		if (there)
			return;
		usleep(10000); /* 10 s in all: hostd tries again after half a second */
	}
	fail_msg("no answer");
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	f->guest = -EBADF;
	f->dir = test_make_dir();
	assert_true(asprintf(&f->ledger, "%s/ledger", f->dir) > 0);
	assert_true(asprintf(&f->limits, "%s/limits", f->dir) > 0);
	assert_true(asprintf(&f->config_path, "%s/vmfreq.conf", f->dir) > 0);
	write_host(f->dir);
	test_write(f->dir, "vmfreq.conf", "[host]\n");
	assert_true(sd_event_new(&f->event) >= 0);
	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		return 0;
	start_host(f);
	f->client = test_bus_client(f->event, false);
	f->root = geteuid() == 0 ? test_bus_client(f->event, true) : NULL;
	wait_for_answer(f); /* so hostd has its name */
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->host)
		host_free(f->host);
	test_polkit_stop(&f->polkit);
	sd_bus_flush_close_unref(f->client);
	sd_bus_flush_close_unref(f->root);
	sd_event_unref(f->event);
	test_bus_stop(f->daemon);
	if (f->guest >= 0)
		close(f->guest);
	test_remove_dir(f->dir);
	free(f->ledger);
	free(f->limits);
	free(f->config_path);
	free(f);
	return 0;
}

static inline void greet(struct fixture *f)
{
	static struct message_hello hello = {.major = PROTO_MAJOR,
					     .minor = PROTO_MINOR,
					     .signal = SIGNAL_PROC,
					     .fields = 1 << HELLO_CPUS | 1 << HELLO_SIGNAL |
						       1 << HELLO_INVARIANT | 1 << HELLO_BOOT_ID |
						       1 << HELLO_AGENT | 1 << HELLO_CPUFREQ,
					     .agent = "test 1",
					     .n_cpus = 2,
					     .cpu = {{0, 0}, {1, 1}}};
	uint8_t frame[FRAME_MAX];
	int pair[2], n = hello_put(frame, sizeof(frame), &hello);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	f->guest = pair[0];
	host_take_connection(f->host, pair[1], CID, 700);
	assert_true(n > 0);
	assert_int_equal(write(f->guest, frame, (size_t)n), n);
}
