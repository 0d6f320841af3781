/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of D-Bus share: a private bus that stands for the system bus, clients on it with
 * and without root's uid, and a polkit of our own. */
#pragma once

#include "tests/unit/test.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define NOBODY 65534U

/* A bus on which everybody may do everything: who may own and call what is the policy files'
 * matter. */
static const char test_bus_config[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
	"\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">"
	"<busconfig><type>session</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>"
	"<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
	"<allow send_destination=\"*\" eavesdrop=\"false\"/>"
	"<allow receive_sender=\"*\"/></policy></busconfig>";

/* Starts a bus whose socket is DIR/bus and points DBUS_SYSTEM_BUS_ADDRESS at it. Its pid, or 0 if
 * there is no dbus-daemon here. */
static inline pid_t test_bus_start(const char *dir)
{
	char config[sizeof(test_bus_config) + 256], address[256] = "", option[300];
	int out[2];
	pid_t pid;

	if (access("/usr/bin/dbus-daemon", X_OK) < 0)
		return 0;
	assert_int_equal(chmod(dir, 0755), 0); /* so that nobody finds the socket */
	snprintf(config, sizeof(config), test_bus_config, dir);
	test_write(dir, "bus.conf", config);
	snprintf(option, sizeof(option), "--config-file=%s/bus.conf", dir);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none); /* what a daemon in this process has blocked */
		sigprocmask(SIG_SETMASK, &none, NULL);
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* also if a test fails */
		dup2(out[1], STDOUT_FILENO);
		execl("/usr/bin/dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile",
		      "--print-address=1", (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	assert_true(read(out[0], address, sizeof(address) - 1) > 0);
	close(out[0]);
	address[strcspn(address, "\n")] = '\0';
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	return pid;
}

static inline void test_bus_stop(pid_t pid)
{
	if (pid > 0) {
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
	}
}

/* A client that the bus takes for nobody if we are root, and for us, who aren't, otherwise. */
static inline sd_bus *test_bus_client(sd_event *event, bool as_root)
{
	const char *name;
	sd_bus *bus = NULL;

	if (!as_root && geteuid() == 0)
		assert_int_equal(seteuid(NOBODY), 0);
	assert_true(sd_bus_open_system(&bus) >= 0);
	assert_true(sd_bus_get_unique_name(bus, &name) >= 0);
	assert_int_equal(seteuid(getuid()), 0);
	assert_true(sd_bus_attach_event(bus, event, 0) >= 0);
	return bus;
}

/* -- a polkit of our own
 * --------------------------------------------------------------------------*/

enum test_polkit_word { SAY_NO, SAY_YES, SAY_PASSWORD, SAY_NOTHING, SAY_LATER };

struct test_polkit {
	sd_bus *bus;
	enum test_polkit_word word;
	unsigned asked, cancelled;
	char action[128], details[256];
	uint32_t flags;
	sd_bus_message *waiting; /* SAY_LATER: the call that test_polkit_say_later() answers */
};

static inline int test_polkit_check(sd_bus_message *call, void *userdata,
				    _unused_ sd_bus_error *error)
{
	struct test_polkit *polkit = userdata;
	const char *action, *key, *value;

	polkit->asked++;
	polkit->details[0] = '\0';
	assert_true(sd_bus_message_skip(call, "(sa{sv})") >= 0);
	assert_true(sd_bus_message_read(call, "s", &action) >= 0);
	snprintf(polkit->action, sizeof(polkit->action), "%s", action);
	assert_true(sd_bus_message_enter_container(call, 'a', "{ss}") >= 0);
	while (sd_bus_message_read(call, "{ss}", &key, &value) > 0) {
		size_t used = strlen(polkit->details);

		snprintf(polkit->details + used, sizeof(polkit->details) - used, "%s=%s ", key,
			 value);
	}
	assert_true(sd_bus_message_exit_container(call) >= 0);
	assert_true(sd_bus_message_read(call, "u", &polkit->flags) >= 0);
	if (polkit->word == SAY_LATER)
		polkit->waiting = sd_bus_message_ref(call);
	if (polkit->word == SAY_NOTHING || polkit->word == SAY_LATER)
		return 1;
	return sd_bus_reply_method_return(call, "(bba{ss})", polkit->word == SAY_YES,
					  polkit->word == SAY_PASSWORD, 0);
}

static inline void test_polkit_say_later(struct test_polkit *polkit, bool yes)
{
	assert_true(sd_bus_reply_method_return(polkit->waiting, "(bba{ss})", yes, false, 0) >= 0);
	polkit->waiting = sd_bus_message_unref(polkit->waiting);
}

static inline int test_polkit_cancel(sd_bus_message *call, void *userdata,
				     _unused_ sd_bus_error *error)
{
	struct test_polkit *polkit = userdata;

	polkit->cancelled++;
	return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable test_polkit_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", test_polkit_check,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("CancelCheckAuthorization", "s", "", test_polkit_cancel,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static inline void test_polkit_start(struct test_polkit *polkit, sd_event *event)
{
	polkit->bus = test_bus_client(event, true);
	assert_true(sd_bus_add_object_vtable(polkit->bus, NULL,
					     "/org/freedesktop/PolicyKit1/Authority",
					     "org.freedesktop.PolicyKit1.Authority",
					     test_polkit_vtable, polkit) >= 0);
	assert_true(sd_bus_request_name(polkit->bus, "org.freedesktop.PolicyKit1", 0) >= 0);
}

static inline void test_polkit_stop(struct test_polkit *polkit)
{
	polkit->bus = sd_bus_flush_close_unref(polkit->bus);
}

/* -- calls
 * ----------------------------------------------------------------------------------------*/

/* A call that is answered by an object on the same event loop. */
struct test_call {
	sd_bus_slot *slot;
	sd_bus_message *reply; /* NULL: none yet */
};

static inline int test_call_reply(sd_bus_message *reply, void *userdata,
				  _unused_ sd_bus_error *error)
{
	struct test_call *call = userdata;

	call->reply = sd_bus_message_ref(reply);
	return 1;
}

/* Lets the loop run until there is a reply: a generous guard, not a measure. */
static inline void test_call_wait(sd_event *event, struct test_call *call)
{
	for (unsigned i = 0; i < 2000 && !call->reply; i++)
		assert_true(sd_event_run(event, 10000) >= 0);
	assert_non_null(call->reply);
	call->slot = sd_bus_slot_unref(call->slot);
}

/* Sends a call that was made by sd_bus_message_new_method_call(), waits, and returns the reply, an
 * error or not, which the caller unrefs. */
static inline sd_bus_message *test_call_send(sd_event *event, sd_bus *bus, sd_bus_message *message)
{
	struct test_call call = {};

	assert_true(sd_bus_call_async(bus, &call.slot, message, test_call_reply, &call, 0) >= 0);
	sd_bus_message_unref(message);
	test_call_wait(event, &call);
	return call.reply;
}

/* The name of the error that a reply is; "" if it is none. */
static inline const char *test_call_error(sd_bus_message *reply)
{
	const sd_bus_error *error = sd_bus_message_get_error(reply);

	return error ? error->name : "";
}
