/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may call a method, on a private bus with a polkit of our own; without dbus-daemon this is
 * skipped. */
#include "tests/unit/test_bus.h"

#include "common/polkit.h"

#define SERVICE "org.vmfreq.Test"
#define ACTION	"org.vmfreq.test.act"

struct fixture {
	char *dir;
	pid_t daemon;
	sd_event *event;
	sd_bus *service, *client;
	struct polkit *polkit;
	struct test_polkit authority;
	const char *action;
	unsigned handled, done;
};

static int on_act(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	static const char *const details[] = {"domain", "web", NULL};
	struct fixture *f = userdata;
	int r = polkit_check(f->polkit, call, f->action, details, error);

	f->handled++;
	if (r <= 0)
		return r < 0 ? r : 1;
	f->done++;
	return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Act", "", "", on_act, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	f->action = ACTION;
	f->dir = test_make_dir();
	f->daemon = test_bus_start(f->dir);
	if (f->daemon == 0)
		return 0;
	assert_true(sd_event_new(&f->event) >= 0);
	f->service = test_bus_client(f->event, true);
	f->client = test_bus_client(f->event, false);
	assert_int_equal(polkit_new(&f->polkit), 0);
	assert_true(sd_bus_add_object_vtable(f->service, NULL, "/", SERVICE, vtable, f) >= 0);
	assert_true(sd_bus_request_name(f->service, SERVICE, 0) >= 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->polkit = polkit_free(f->polkit);
	test_polkit_stop(&f->authority);
	sd_bus_flush_close_unref(f->client);
	sd_bus_flush_close_unref(f->service);
	sd_event_unref(f->event);
	test_bus_stop(f->daemon);
	test_remove_dir(f->dir);
	free(f);
	return 0;
}

static sd_bus_message *make_call(sd_bus *bus)
{
	sd_bus_message *call = NULL;

	assert_true(sd_bus_message_new_method_call(bus, &call, SERVICE, "/", SERVICE, "Act") >= 0);
	return call;
}

/* One call as this client: the error must be that one ("": none), and its text hold `text`. */
static void expect_call(struct fixture *f, sd_bus *client, const char *name, const char *text)
{
	unsigned done = f->done;
	sd_bus_message *reply = test_call_send(f->event, client, make_call(client));

	assert_string_equal(test_call_error(reply), name);
	if (*name)
		EXPECT(strstr(sd_bus_message_get_error(reply)->message, text), "the error is '%s'",
		       sd_bus_message_get_error(reply)->message);
	assert_int_equal(f->done, done + (*name == '\0'));
	sd_bus_message_unref(reply);
}

static void test_answers(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	test_polkit_start(&f->authority, f->event);
	f->authority.word = SAY_YES;
	expect_call(f, f->client, "", "");
	assert_string_equal(f->authority.action, ACTION);
	assert_string_equal(f->authority.details, "domain=web ");
	assert_int_equal(f->authority.flags, 0);
	f->authority.word = SAY_NO;
	expect_call(f, f->client, SD_BUS_ERROR_ACCESS_DENIED, "says no to " ACTION);
	f->authority.word = SAY_PASSWORD;
	expect_call(f, f->client, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, ACTION);
	/* Each call is a question of its own: a yes isn't kept. */
	assert_int_equal(f->authority.asked, 3);
	assert_int_equal(f->handled, 6);
}

static void test_dialog(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	test_polkit_start(&f->authority, f->event);
	f->authority.word = SAY_YES;
	assert_true(sd_bus_set_allow_interactive_authorization(f->client, true) >= 0);
	expect_call(f, f->client, "", "");
	assert_int_equal(f->authority.flags, 1);
}

static void test_absent(void **state)
{
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	expect_call(f, f->client, SD_BUS_ERROR_ACCESS_DENIED, "polkit isn't there");
}

/* Root needs no polkit, and isn't asked about. */
static void test_root(void **state)
{
	struct fixture *f = *state;
	sd_bus *root;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	if (geteuid() != 0)
		TEST_SKIP("this isn't run as root");
	root = test_bus_client(f->event, true);
	expect_call(f, root, "", "");
	test_polkit_start(&f->authority, f->event);
	f->authority.word = SAY_NO;
	expect_call(f, root, "", "");
	assert_int_equal(f->authority.asked, 0);
	sd_bus_flush_close_unref(root);
}

static void run_until(struct fixture *f, const unsigned *count, unsigned least)
{
	for (unsigned i = 0; i < 2000 && *count < least; i++)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	assert_true(*count >= least);
}

static void test_caller_vanishes(void **state)
{
	struct fixture *f = *state;
	struct test_call call = {};
	sd_bus_message *message;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	test_polkit_start(&f->authority, f->event);
	f->authority.word = SAY_NOTHING;
	message = make_call(f->client);
	assert_true(sd_bus_call_async(f->client, &call.slot, message, test_call_reply, &call, 0) >=
		    0);
	sd_bus_message_unref(message);
	run_until(f, &f->authority.asked, 1);
	sd_bus_slot_unref(call.slot);
	f->client = sd_bus_flush_close_unref(f->client);
	run_until(f, &f->authority.cancelled, 1);
	assert_int_equal(f->done, 0);

	/* And the next is asked about as ever. */
	f->client = test_bus_client(f->event, false);
	f->authority.word = SAY_YES;
	expect_call(f, f->client, "", "");
}

/* Those who wait for polkit are so many at most; the next is told. */
static void test_crowd(void **state)
{
	struct test_call calls[POLKIT_WAITING_MAX] = {};
	struct fixture *f = *state;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	test_polkit_start(&f->authority, f->event);
	f->authority.word = SAY_NOTHING;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		sd_bus_message *message = make_call(f->client);

		assert_true(sd_bus_call_async(f->client, &calls[i].slot, message, test_call_reply,
					      &calls[i], 0) >= 0);
		sd_bus_message_unref(message);
	}
	run_until(f, &f->authority.asked, POLKIT_WAITING_MAX);
	expect_call(f, f->client, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		sd_bus_slot_unref(calls[i].slot);
	/* Stopping with questions under way leaves nothing behind (the sanitizers look). */
}

/* An answer about one action is none about another. */
static int on_act_twice(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct fixture *f = userdata;
	int r = on_act(call, userdata, error);

	f->action = "org.vmfreq.test.other";
	return r;
}

static void test_other_action(void **state)
{
	static const sd_bus_vtable twice[] = {
		SD_BUS_VTABLE_START(0),
		SD_BUS_METHOD("Act", "", "", on_act_twice, SD_BUS_VTABLE_UNPRIVILEGED),
		SD_BUS_VTABLE_END,
	};
	struct fixture *f = *state;
	sd_bus_message *call = NULL, *reply;

	if (f->daemon == 0)
		TEST_SKIP("there is no dbus-daemon");
	test_polkit_start(&f->authority, f->event);
	f->authority.word = SAY_YES;
	assert_true(sd_bus_add_object_vtable(f->service, NULL, "/twice", SERVICE, twice, f) >= 0);
	assert_true(sd_bus_message_new_method_call(f->client, &call, SERVICE, "/twice", SERVICE,
						   "Act") >= 0);
	reply = test_call_send(f->event, f->client, call);
	assert_string_equal(test_call_error(reply), SD_BUS_ERROR_ACCESS_DENIED);
	sd_bus_message_unref(reply);
	assert_int_equal(f->done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dialog, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_caller_vanishes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crowd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_action, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
