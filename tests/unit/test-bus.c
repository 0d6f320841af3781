/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreqctl asks a bus object over a real, private dbus-daemon; without one this is skipped. And what
 * vmfreqctl prints of a status document. */
#include "tests/unit/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "ctl/status_text.h"
#include "hostd/bus.h"

static const char document[] =
	"{\"version\":\"0.1\",\"kernel\":\"7.3\",\"dry_run\":true,"
	"\"floor\":{\"actuator\":\"thread\",\"reason\":\"uclamp.min\"},"
	"\"placement\":{\"actuator\":\"off\",\"reason\":\"all cores are of one class\"},"
	"\"libvirt\":{\"connected\":false,\"error\":\"no such socket\"},"
	"\"refused\":{\"cid\":3,\"port\":4},\"settings_changed\":2,\"domains\":[{"
	"\"name\":\"web\",\"id\":7,\"cid\":42,\"connected\":true,\"agent\":\"guestd 1\","
	"\"signal\":\"proc\",\"cpufreq\":\"ours\",\"reports\":9,"
	"\"concerns\":[{\"name\":\"sched_ext\",\"detail\":\"scx\",\"text\":\"a scheduler\"}],\"vcpus\":["
	"{\"index\":0,\"thread\":1001,\"util\":700,\"floor\":875,\"floor_effective\":870,"
	"\"cpus\":\"2-3\",\"host_cpu\":2,\"khz\":2400000},"
	"{\"index\":1,\"util\":0,\"floor\":0,\"reason\":\"no thread\"}]}]}";

static struct json_object *give_document(_unused_ void *userdata)
{
	return json_tokener_parse(document);
}

static char *text_of(const char *json, int *ret)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	struct json_object *status = json_tokener_parse(json);

	assert_non_null(to);
	*ret = status_text(status, to);
	json_object_put(status);
	fclose(to);
	return text;
}

static void test_text(_unused_ void **state)
{
	static const char *const wanted[] = {
		"DRY RUN", "floors:    thread -- uclamp.min", "no such socket",
		"refused: 3 by CID, 4 by port", "web (id 7, CID 42)", "1001", "  700   875       870 2-3",
		" 2400", "no thread", "concern: sched_ext (scx): a scheduler\n"};
	int r;
	_cleanup_free_ char *text = text_of(document, &r);

	assert_int_equal(r, 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		EXPECT(strstr(text, wanted[i]), "'%s' is missing in:\n%s", wanted[i], text);
}

static void test_text_of_something_else(_unused_ void **state)
{
	static const char *const wrong[] = {"[]", "{}", "7", "{\"domains\":{}}"};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		free(text_of(wrong[i], &r));
		EXPECT(r == -EBADMSG, "%s was taken", wrong[i]);
	}
	free(text_of("{\"domains\":[{}]}", &r)); /* an older hostd: what is missing is a dash */
	assert_int_equal(r, 0);
}

/* Starts a bus of our own: its pid, with its address in the environment; 0 if there is no daemon. */
static pid_t start_daemon(void)
{
	char address[256] = "";
	int out[2];
	pid_t pid;

	if (access("/usr/bin/dbus-daemon", X_OK) < 0)
		return 0;
	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		execl("/usr/bin/dbus-daemon", "dbus-daemon", "--session", "--nofork",
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

static void test_vmfreqctl_asks(_unused_ void **state)
{
	pid_t daemon = start_daemon(), ctl;
	char json[sizeof(document) + 512] = "";
	sd_event *event = NULL;
	struct bus *bus = NULL;
	int out[2], status = -1;

	if (daemon == 0)
		skip();
	assert_true(sd_event_new(&event) >= 0);
	assert_true(bus_start(event, give_document, NULL, &bus) >= 0);
	assert_int_equal(pipe(out), 0);
	ctl = fork();
	assert_true(ctl >= 0);
	if (ctl == 0) {
		dup2(out[1], STDOUT_FILENO);
		execl("./vmfreqctl", "vmfreqctl", "--json", "status", (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	for (unsigned i = 0; i < 1000 && waitpid(ctl, &status, WNOHANG) == 0; i++)
		assert_true(sd_event_run(event, 10000) >= 0);
	assert_int_equal(status, 0);
	assert_true(read(out[0], json, sizeof(json) - 1) > 0);
	EXPECT(strstr(json, "\"floor_effective\":870") || strstr(json, "\"floor_effective\": 870"),
	       "vmfreqctl printed %s", json);
	close(out[0]);
	bus_stop(bus);
	sd_event_unref(event);
	kill(daemon, SIGTERM);
	waitpid(daemon, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_of_something_else),
		cmocka_unit_test(test_vmfreqctl_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
