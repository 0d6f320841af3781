/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A name on a private bus that comes, goes and refuses; without dbus-daemon most of this is
 * skipped. Linked with --wrap, so that a pause is written down, and over at once. */
#include "tests/unit/test_bus.h"

#include "common/bus_name.h"

#define NAME	   "org.vmfreq.Test"
#define PATH	   "/org/vmfreq/Test"
#define PAUSE_USEC (500 * USEC_PER_MSEC)

int __real_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);

static uint64_t pauses[64];
static unsigned n_pauses;

int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
	pauses[n_pauses++ % ARRAY_SIZE(pauses)] = usec;
	return __real_sd_event_source_set_time_relative(source, 0);
}

struct fixture {
	char *dir, *address;
	pid_t daemon;
	sd_event *event;
	struct bus_name *name;
	int error;	 /* what setting up fails with, if it isn't 0 */
	unsigned gained; /* how often the name became ours */
	char told[1024]; /* "PROBLEM|" each, since the name was ours */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	n_pauses = 0;
	f->dir = test_make_dir();
	assert_true(asprintf(&f->address, "unix:path=%s/bus", f->dir) > 0);
	assert_true(sd_event_new(&f->event) >= 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bus_name_free(f->name);
	sd_event_unref(f->event);
	test_bus_stop(f->daemon);
	test_remove_dir(f->dir);
	free(f->address);
	free(f);
	return 0;
}

static int get_answer(_unused_ sd_bus *connection, _unused_ const char *path,
		      _unused_ const char *interface, _unused_ const char *property,
		      sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
	const struct fixture *f = userdata;

	return sd_bus_message_append(reply, "u", f->gained);
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Answer", "u", get_answer, 0, 0),
	SD_BUS_VTABLE_END,
};

static int set_up(void *userdata, sd_bus *connection)
{
	struct fixture *f = userdata;

	return f->error ? f->error
			: sd_bus_add_object_vtable(connection, NULL, PATH, NAME, vtable, f);
}

static void tell(void *userdata, const char *problem)
{
	struct fixture *f = userdata;
	size_t used = strlen(f->told);

	assert_true(f->name == NULL || !problem == (bus_name_connection(f->name) != NULL));
	if (problem) {
		snprintf(f->told + used, sizeof(f->told) - used, "%s|", problem);
		return;
	}
	f->gained++;
	f->told[0] = '\0';
}

static void begin(struct fixture *f, const char *address, bool watch)
{
	const struct bus_name_options options = {.name = NAME,
						 .address = address,
						 .pause_usec = PAUSE_USEC,
						 .watch = watch,
						 .set_up = set_up,
						 .tell = tell,
						 .userdata = f};

	assert_int_equal(bus_name_new(f->event, &options, &f->name), 0);
}

static void turn(struct fixture *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_true(sd_event_run(f->event, 1000) >= 0);
}

/* These turn until it is so: generous guards, not measures. */
static void wait_for_name(struct fixture *f, unsigned gained)
{
	for (unsigned i = 0; i < 5000 && f->gained < gained; i++)
		turn(f, 1);
	assert_int_equal(f->gained, gained);
	assert_non_null(bus_name_connection(f->name));
}

static void wait_for_problem(struct fixture *f)
{
	for (unsigned i = 0; i < 5000 && f->told[0] == '\0'; i++)
		turn(f, 1);
	assert_string_not_equal(f->told, "");
	assert_null(bus_name_connection(f->name));
}

static void stop_bus(struct fixture *f)
{
	test_bus_stop(f->daemon);
	f->daemon = 0;
}

/* -- tests -- */

static void test_answers(void **state)
{
	struct fixture *f = *state;
	sd_bus_message *call = NULL;
	uint32_t answer = 0;
	sd_bus *client;

	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	begin(f, NULL, false);
	assert_null(bus_name_connection(f->name));
	wait_for_name(f, 1);
	assert_non_null(bus_name_polkit(f->name));
	client = test_bus_client(f->event, false);
	assert_true(sd_bus_message_new_method_call(client, &call, NAME, PATH,
						   "org.freedesktop.DBus.Properties", "Get") >= 0);
	assert_true(sd_bus_message_append(call, "ss", NAME, "Answer") >= 0);
	call = test_call_send(f->event, client, call);
	assert_string_equal(test_call_error(call), "");
	assert_true(sd_bus_message_read(call, "v", "u", &answer) >= 0);
	assert_int_equal(answer, 1);
	sd_bus_message_unref(call);
	sd_bus_flush_close_unref(client);
	assert_int_equal(n_pauses, 0);
}

/* Pauses grow up to the maximum, and one reason is told once; with the name all begins anew. */
static void test_no_bus(void **state)
{
	struct fixture *f = *state;

	begin(f, f->address, false);
	for (unsigned i = 0; i < 5000 && n_pauses < 12; i++)
		turn(f, 1);
	assert_in_range(n_pauses, 12, ARRAY_SIZE(pauses));
	for (unsigned i = 0; i < n_pauses; i++)
		assert_int_equal(pauses[i], MIN(PAUSE_USEC << i, BUS_NAME_PAUSE_MAX_USEC));
	assert_int_equal(pauses[n_pauses - 1], 60 * USEC_PER_SEC);
	assert_string_equal(f->told, "No such file or directory|");

	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	wait_for_name(f, 1);
	n_pauses = 0;
	stop_bus(f);
	wait_for_problem(f);
	assert_int_equal(pauses[0], PAUSE_USEC);
}

/* The socket is watched for: no try is in vain, and nothing is a problem. */
static void test_no_bus_watched(void **state)
{
	struct fixture *f = *state;

	begin(f, f->address, true);
	turn(f, 100);
	assert_string_equal(f->told, "");
	assert_null(bus_name_connection(f->name));
	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	wait_for_name(f, 1);
	assert_int_equal(n_pauses, 0);
}

static void restart(struct fixture *f, bool watch)
{
	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	begin(f, f->address, watch);
	wait_for_name(f, 1);
	for (unsigned i = 2; i < 4; i++) {
		stop_bus(f);
		wait_for_problem(f);
		turn(f, 100);
		EXPECT(strncmp(f->told, "the connection has ended|", 25) == 0, "told: %s", f->told);
		if (watch)
			assert_string_equal(f->told, "the connection has ended|");
		f->daemon = test_bus_start(f->dir);
		wait_for_name(f, i);
	}
	assert_true(!watch || n_pauses == 2);
}

static void test_bus_restarts(void **state)
{
	restart(*state, false);
}

static void test_bus_restarts_watched(void **state)
{
	restart(*state, true);
}

/* Begins on a bus where somebody else has the name, and returns him. */
static sd_bus *begin_too_late(struct fixture *f, bool watch)
{
	sd_bus *other;

	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	other = test_bus_client(f->event, true);
	assert_true(sd_bus_request_name(other, NAME, 0) >= 0);
	begin(f, f->address, watch);
	wait_for_problem(f);
	return other;
}

static void test_name_is_taken(void **state)
{
	struct fixture *f = *state;
	sd_bus *other = begin_too_late(f, false);

	for (unsigned i = 0; i < 5000 && n_pauses < 3; i++)
		turn(f, 1);
	assert_string_equal(f->told, "another process has the name|");
	sd_bus_flush_close_unref(other);
	wait_for_name(f, 1);
}

/* It is told, and that's that while this bus runs. */
static void test_name_is_taken_watched(void **state)
{
	struct fixture *f = *state;
	sd_bus *other = begin_too_late(f, true);

	sd_bus_flush_close_unref(other);
	turn(f, 100);
	assert_string_equal(f->told, "another process has the name|");
	assert_int_equal(n_pauses, 0);
	stop_bus(f);
	f->daemon = test_bus_start(f->dir);
	wait_for_name(f, 1);
}

/* What fails on our side is tried again, watched or not. */
static void test_own_faults(void **state)
{
	static const struct {
		const char *address;
		int error;
		bool watch;
		const char *told;
	} rows[] = {
		{"nonsense", 0, false, "Connection refused|"},
		{"nonsense", 0, true, "Connection refused|"},
		{NULL, -ENOMEM, false, "Cannot allocate memory|"},
		{NULL, -ENOMEM, true, "Cannot allocate memory|"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		f->told[0] = '\0';
		f->error = rows[i].error;
		n_pauses = 0;
		begin(f, rows[i].address ?: f->address, rows[i].watch);
		for (unsigned k = 0; k < 5000 && n_pauses < 3; k++)
			turn(f, 1);
		EXPECT(n_pauses >= 3, "row %zu: %u tries", i, n_pauses);
		EXPECT(strcmp(f->told, rows[i].told) == 0, "row %zu: told %s", i, f->told);
		f->name = bus_name_free(f->name);
	}
	f->error = 0;
	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	f->error = -ENOMEM;
	begin(f, f->address, true);
	f->error = 0;
	wait_for_name(f, 1);
}

static void test_system_address(_unused_ void **state)
{
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere", 1);
	assert_string_equal(bus_name_system_address(), "unix:path=/nowhere");
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
	assert_string_equal(bus_name_system_address(), "unix:path=/run/dbus/system_bus_socket");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_no_bus),
		TEST(test_no_bus_watched),
		TEST(test_bus_restarts),
		TEST(test_bus_restarts_watched),
		TEST(test_name_is_taken),
		TEST(test_name_is_taken_watched),
		TEST(test_own_faults),
		cmocka_unit_test(test_system_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
