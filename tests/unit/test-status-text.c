/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What vmfreqctl prints of a status document. */
#include "tests/unit/test.h"

#include "ctl/status_text.h"

static const char document[] =
	"{\"version\":\"0.1\",\"kernel\":\"7.3\",\"dry_run\":true,"
	"\"floor\":{\"actuator\":\"thread\",\"reason\":\"uclamp.min\"},"
	"\"placement\":{\"actuator\":\"off\",\"reason\":\"all cores are of one class\"},"
	"\"libvirt\":{\"connected\":false,\"error\":\"no such socket\"},"
	"\"refused\":{\"cid\":3,\"port\":4},\"settings_changed\":2,\"domains\":[{"
	"\"name\":\"web\",\"id\":7,\"cid\":42,\"connected\":true,\"agent\":\"guestd 1\","
	"\"signal\":\"proc\",\"cpufreq\":\"ours\",\"reports\":9,"
	"\"entitlement\":{\"goal\":\"speed\",\"weight\":70,\"floor_max\":512,\"placement\":true,"
	"\"feedback\":false,\"sections\":{\"goal\":\"web*\",\"feedback\":\"web\"}},"
	"\"concerns\":[{\"name\":\"sched_ext\",\"detail\":\"scx\",\"text\":\"a "
	"scheduler\"}],\"vcpus\":["
	"{\"index\":0,\"thread\":1001,\"util\":700,\"floor\":875,\"ceiling\":900,\"floor_"
	"effective\":870,"
	"\"cpus\":\"2-3\",\"host_cpu\":2,\"khz\":2400000},"
	"{\"index\":1,\"util\":0,\"floor\":0,\"reason\":\"no thread\"}]}]}";

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

/* A budget shows where there is one, in parts of one largest CPU. */
static void test_budget(_unused_ void **state)
{
	int r;
	_cleanup_free_ char *with = text_of(
		"{\"budget\":{\"limit\":4096,\"wants\":5120,\"gets\":4090},\"domains\":[]}", &r);
	_cleanup_free_ char *without = text_of(
		"{\"budget\":{\"limit\":0,\"wants\":5120,\"gets\":5120},\"domains\":[]}", &r);

	EXPECT(strstr(with, "  budget:    400% of one CPU for all floors; 500% are asked for, 399% "
			    "given\n"),
	       "%s", with);
	EXPECT(!strstr(without, "budget"), "%s", without);
}

static void test_text(_unused_ void **state)
{
	static const char *const wanted[] = {"DRY RUN",
					     "floors:    thread -- uclamp.min",
					     "no such socket",
					     "refused: 3 by CID, 4 by port",
					     "web (id 7, CID 42)",
					     "  goal speed by [domain web*], floors of at",
					     "at most 50%, weight 70, no feedback by",
					     "no feedback by [domain web]\n",
					     "1001",
					     "  700   875     900       870 2-3",
					     "    0     0       -         - -",
					     " 2400",
					     "no thread",
					     "concern: sched_ext (scx): a scheduler\n"};
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_text_of_something_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
