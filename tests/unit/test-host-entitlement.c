/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the configuration says of one domain, in a hostd that runs: it holds from a reload on. */
#include "tests/unit/test_host.h"

#define UUID "07000000-0000-0000-0000-000000000000"
#define HOST                                                                                       \
	"[host]\nactuator = cgroup\nplacement = cgroup\ncore_classes = 0-1 < 2-3\n"                \
	"placement_dwell = 0\nfloor_hold = 0\nfloor_half_life = 1ms\nwrite_interval = 0\n"

static void reload(struct fixture *f, const char *text)
{
	test_write(f->root, "vmfreq.conf", text);
	EXPECT(host_reload(f->host) == 0, "%s", host_config_error(f->host));
}

/* What the configuration says of a domain holds from its reload on, with the operator's limit. */
static void test_entitlement(void **state)
{
	struct fixture *f = *state;
	const struct entitlement *entitlement;

	start_with_guest(f);
	entitlement = &host_domain(f->host, 0)->entitlement;
	assert_int_equal(entitlement->floor_max1024, 1024);
	assert_null(entitlement->from[DOMAIN_FLOOR_MAX]);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	reload(f, HOST "[domain g*]\nfloor_max = 50%\n");
	assert_string_equal(entitlement->from[DOMAIN_FLOOR_MAX], "g*");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "50.00");
	assert_true(status_has(f, "\"entitlement\":{\"goal\":\"balanced\",\"weight\":100,"
				  "\"floor_max\":512,\"placement\":true,\"feedback\":true,"
				  "\"sections\":{\"floor_max\":\"g*\"}}"));
	/* Of this and the limit the lesser. */
	assert_int_equal(lay(f, 25, false), 0);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "25.00");
	reload(f, HOST "[domain " UUID "]\nfloor_max = 12.5%\n");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "12.50");
	assert_int_equal(lay(f, LIMIT_NONE, false), 0);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "12.50");
	/* More than [host] allows others. */
	reload(f, HOST "floor_max = 50%\n[domain x]\nfloor_max = 0%\n");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "50.00");
	reload(f, HOST "floor_max = 50%\n[domain g]\nfloor_max = 100%\n");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	/* What is refused changes nothing. */
	test_write(f->root, "vmfreq.conf", HOST "[domain g]\nfloor_max = 25%\nweight = 0\n");
	assert_int_equal(host_reload(f->host), -EINVAL);
	assert_int_equal(entitlement->floor_max1024, 1024);
	assert_string_equal(entitlement->from[DOMAIN_FLOOR_MAX], "g");
}

/* All of the domain is as it was; the slice is for others, too. */
static void assert_put_back(struct fixture *f)
{
	static const char *const cgroups[] = {SCOPE, SCOPE "/libvirt", VCPU "0", VCPU "1"};
	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++) {
		snprintf(path, sizeof(path), "%s/cpu.uclamp.min", cgroups[i]);
		wait_for_file(f, path, "0.00");
		snprintf(path, sizeof(path), "%s/cpuset.cpus", cgroups[i]);
		wait_for_file(f, path, "0-3");
	}
}

/* Its goal is off: all of it is put back, as if it were released; and it is taken up again. */
static void test_goal_off(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
	reload(f, HOST "[domain g]\ngoal = off\n");
	assert_put_back(f);
	assert_true(status_has(f, "\"reason\":\"its goal is off"));
	send_report(f, 700, 900, 60000);
	host_take_inventory(f->host, make_inventory(7, 0));
	assert_put_back(f);
	assert_int_equal(lay(f, 50, false), 0);
	assert_put_back(f);
	assert_non_null(host_domain(f->host, 0)->hello);
	/* One that starts now is left alone, too. */
	host_take_inventory(f->host, make_inventory(8, 0));
	assert_int_equal(host_domain(f->host, 0)->entitlement.goal, GOAL_OFF);
	host_take_inventory(f->host, make_inventory(7, 0));
	call_from(f, CID, PORT);
	send_hello(f);
	send_report(f, 0, 900, 60000);
	assert_put_back(f);

	reload(f, HOST "goal = off\n[domain g]\ngoal = energy\n");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "50.00");
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
	reload(f, HOST "goal = off\n");
	assert_put_back(f);
}

/* The last word of it among what the host has sent: 1 no reports, 0 reports, -1 nothing. */
static int last_flags(struct fixture *f)
{
	static struct frame_decoder decoder;
	struct message message;
	struct frame frame;
	int flags = -1;
	size_t room;
	uint8_t *space;
	ssize_t n;

	settle(f);
	frame_decoder_init(&decoder);
	space = frame_decoder_space(&decoder, &room);
	n = read(f->guest, space, room);
	frame_decoder_commit(&decoder, (size_t)MAX(n, 0));
	while (frame_decoder_next(&decoder, &frame) > 0) {
		if (frame.type == MESSAGE_HELLO)
			continue;
		assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
		if (message.type == MESSAGE_PING && message.ping.has_flags)
			flags = (int)message.ping.flags;
	}
	return flags;
}

/* A guest needn't report where nothing comes of it, and it isn't thought silent for that. */
static void test_quiet(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	assert_int_equal(last_flags(f), -1);
	send_report(f, 0, 900, 50);
	reload(f, HOST "[domain g]\ngoal = off\n");
	assert_int_equal(last_flags(f), PING_NO_REPORTS);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	usleep(60000);
	settle(f);
	assert_false(host_domain(f->host, 0)->demand.lapsed);
	reload(f, HOST "[domain g]\ngoal = speed\n");
	assert_int_equal(last_flags(f), 0);
	assert_int_equal(lay(f, LIMIT_NONE, true), 0); /* released */
	assert_int_equal(last_flags(f), PING_NO_REPORTS);
	assert_int_equal(lay(f, LIMIT_NONE, false), 0);
	assert_int_equal(last_flags(f), 0);
	/* One that connects later is told, too. */
	reload(f, HOST "[domain g]\ngoal = off\n");
	call_from(f, CID, PORT);
	send_hello(f);
	assert_int_equal(last_flags(f), PING_NO_REPORTS);
}

static void test_no_placement(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
	reload(f, HOST "[domain g]\nplacement = no\n");
	wait_for_file(f, VCPU "1/cpuset.cpus", "0-3");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	reload(f, HOST "[domain g]\nplacement = yes\n");
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
}

/* Whether its guest is told of what it gets, when it connects anew. */
static bool is_told(struct fixture *f)
{
	static struct frame_decoder decoder;
	struct frame frame;
	bool told = false;
	size_t room;
	ssize_t n;

	call_from(f, CID, PORT);
	send_hello(f);
	frame_decoder_init(&decoder);
	for (;;) {
		uint8_t *space = frame_decoder_space(&decoder, &room);

		n = read(f->guest, space, room);
		if (n <= 0)
			return told;
		frame_decoder_commit(&decoder, (size_t)n);
		while (frame_decoder_next(&decoder, &frame) > 0)
			told |= frame.type == MESSAGE_FEEDBACK;
	}
}

/* One domain's section, either way round. */
static void test_feedback(void **state)
{
	struct fixture *f = *state;

	start_host(f, false);
	assert_true(is_told(f));
	reload(f, HOST "[domain g]\nfeedback = no\n");
	assert_false(is_told(f));
	reload(f, HOST "feedback = no\n");
	assert_false(is_told(f));
	reload(f, HOST "feedback = no\n[domain g]\nfeedback = yes\n");
	assert_true(is_told(f));
}

/* A guest that is renamed has the entitlement of its new name. */
static void test_renamed(void **state)
{
	struct fixture *f = *state;
	struct inventory *inventory = make_inventory(7, 0);

	start_with_guest(f);
	reload(f, HOST "[domain new]\nfloor_max = 25%\n[domain g]\nfloor_max = 50%\n");
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "50.00");
	strcpy(inventory->domains[0].name, "new");
	host_take_inventory(f->host, inventory);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "25.00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_entitlement), HOST_TEST(test_goal_off), HOST_TEST(test_no_placement),
		HOST_TEST(test_feedback),    HOST_TEST(test_quiet),    HOST_TEST(test_renamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
