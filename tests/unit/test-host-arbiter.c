/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arbiter in the whole of hostd: what one domain gets for what others ask for, what else runs
 * on its CPU, what it may have, and what its threads really run. */
#include "tests/unit/test_host.h"

#include "hostd/claims.h"
#include "hostd/host_private.h"

#define SCOPE_H SLICE "/machine-qemu\\x2d8\\x2dh.scope"
#define VCPU_H	SCOPE_H "/libvirt/vcpu"
#define CID_H	43U
#define CONF                                                                                       \
	"[host]\nactuator = cgroup\nplacement = off\nfloor_hold = 0\nfloor_half_life = 1ms\n"      \
	"floor_step = 0.1%\nwrite_interval = 0\nlower_interval = 0\nlease_max = 10s\n"             \
	"claim_check = off\n"

static struct domain *domain_of(struct fixture *f, size_t i)
{
	return f->host->domains[i];
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * USEC_PER_SEC + (uint64_t)time.tv_nsec / NSEC_PER_USEC;
}

/* -- two domains, g and h: vCPU 1 of each has a CPU of its own, or both the same -- */

static int guest_h = -EBADF;
static uint32_t sequence_h;

static struct inventory *two_domains(unsigned cpu_g, unsigned cpu_h)
{
	struct inventory *inventory = make_inventory(7, 0), *other = make_inventory(8, 0);
	struct inventory_domain *both = calloc(2, sizeof(*both));

	assert_non_null(both);
	both[0] = inventory->domains[0];
	both[1] = other->domains[0];
	strcpy(both[1].name, "h");
	both[1].uuid[0] = 8;
	both[1].cid = CID_H;
	cpumask_set(&both[0].vcpus[1].allowed, cpu_g);
	cpumask_set(&both[1].vcpus[1].allowed, cpu_h);
	free(inventory->domains);
	free(other->domains);
	free(other);
	inventory->domains = both;
	inventory->n_domains = 2;
	return inventory;
}

/* What is done to f->guest is h's matter until it is called again. */
static void swap_guests(struct fixture *f)
{
	uint32_t sequence = f->sequence;
	int guest = f->guest;

	f->guest = guest_h;
	f->sequence = sequence_h;
	guest_h = guest;
	sequence_h = sequence;
}

static void start_two(struct fixture *f, unsigned cpu_g, unsigned cpu_h)
{
	write_cgroup(f->root, SCOPE_H, 0);
	write_cgroup(f->root, SCOPE_H "/libvirt", 0);
	write_cgroup(f->root, VCPU_H "0", 2001);
	write_cgroup(f->root, VCPU_H "1", 2002);
	write_thread(f->root, 2001, VCPU_H "0");
	write_thread(f->root, 2002, VCPU_H "1");
	f->config.placement = PLACE_OFF;
	f->config.floor_step = 1;
	new_host(f, false);
	host_take_inventory(f->host, two_domains(cpu_g, cpu_h));
	call_from(f, CID, PORT);
	send_hello(f);
	swap_guests(f);
	call_from(f, CID_H, PORT);
	send_hello(f);
	swap_guests(f);
}

static int teardown_two(void **state)
{
	if (guest_h >= 0)
		close(guest_h);
	guest_h = -EBADF;
	return teardown(state);
}

static void report_g(struct fixture *f, uint16_t util, uint16_t lease_msec)
{
	send_report(f, 0, util, lease_msec);
}

static void report_h(struct fixture *f, uint16_t util)
{
	swap_guests(f);
	send_report(f, 0, util, 60000);
	swap_guests(f);
}

static void expect_floors(struct fixture *f, uint16_t floor_g, uint16_t floor_h)
{
	wait_for_file(f, VCPU "1/cpu.uclamp.min", clamp_text(floor_g));
	wait_for_file(f, VCPU_H "1/cpu.uclamp.min", clamp_text(floor_h));
	wait_for_file(f, VCPU "1/cpu.uclamp.min", clamp_text(floor_g));
}

/* Runs until it is so: a generous guard, not a measure. */
#define WAIT_FOR(f_, condition_)                                                                   \
	do {                                                                                       \
		for (unsigned n_ = 0; n_ < 3000 && !(condition_); n_++)                            \
			assert_true(sd_event_run((f_)->event, 10000) >= 0);                        \
		assert_true(condition_);                                                           \
	} while (0)

/* Each clamp takes the highest of a CPU's threads where demands add up. */
static void test_two_on_one_cpu(void **state)
{
	struct fixture *f = *state;

	start_two(f, 3, 3);
	report_g(f, 300, 60000);
	expect_floors(f, floor_for(300), 0);
	report_h(f, 400);
	expect_floors(f, floor_for(700), floor_for(700));
	/* Whoever asks for nothing needs no floor for others. */
	report_g(f, 0, 60000);
	expect_floors(f, 0, floor_for(400));
	report_g(f, 300, 60000);
	expect_floors(f, floor_for(700), floor_for(700));
	swap_guests(f);
	close(TAKE_FD(f->guest));
	swap_guests(f);
	expect_floors(f, floor_for(300), 0);
}

static void test_two_on_two_cpus(void **state)
{
	struct fixture *f = *state;

	start_two(f, 2, 3);
	report_g(f, 300, 60000);
	report_h(f, 400);
	expect_floors(f, floor_for(300), floor_for(400));
	/* Both are pinned to the same one now. */
	host_take_inventory(f->host, two_domains(3, 3));
	expect_floors(f, floor_for(700), floor_for(700));
	/* And one of the domains goes. */
	host_take_inventory(f->host, make_inventory(7, 0));
	wait_for_file(f, VCPU "1/cpu.uclamp.min", clamp_text(floor_for(300)));
}

static void test_silent_guest(void **state)
{
	struct fixture *f = *state;

	start_two(f, 3, 3);
	report_h(f, 400);
	report_g(f, 300, 300);
	expect_floors(f, floor_for(700), floor_for(700));
	expect_floors(f, 0, floor_for(400));
	assert_true(status_has(f, "fallen silent"));
}

/* -- what a domain may have -- */

static void reload(struct fixture *f, const char *text)
{
	test_write(f->root, "vmfreq.conf", text);
	EXPECT(host_reload(f->host) == 0, "%s", host_config_error(f->host));
}

/* Within the budget, and by a grain at most below it. */
static bool have_about(struct fixture *f, uint16_t floor_g, uint16_t floor_h)
{
	uint16_t g = domain_of(f, 0)->vcpus[1].have.floor1024;
	uint16_t h = domain_of(f, 1)->vcpus[1].have.floor1024;

	return g <= floor_g && h <= floor_h && g + LEVEL_GRAIN >= floor_g &&
	       h + LEVEL_GRAIN >= floor_h;
}

static void test_budget(void **state)
{
	struct fixture *f = *state;

	start_two(f, 2, 3);
	report_g(f, 900, 60000);
	report_h(f, 900);
	expect_floors(f, 1024, 1024);
	reload(f, CONF "budget = 50%\n[domain g]\nweight = 300\n");
	WAIT_FOR(f, have_about(f, 384, 128));
	assert_true(status_has(f, "\"budget\":{\"limit\":512,\"wants\":2048,\"gets\":512}"));
	reload(f, CONF "budget = 50%\n");
	WAIT_FOR(f, have_about(f, 256, 256));
	/* What one doesn't ask for is the other's. */
	report_g(f, 0, 60000);
	WAIT_FOR(f, have_about(f, 0, 512));
	reload(f, CONF);
	expect_floors(f, 0, 1024);
}

/* No rise is written before the room for it has been made, whatever waits for its turn. */
static void test_budget_stands(void **state)
{
	struct fixture *f = *state;

	f->config.budget1024 = 512;
	f->config.lower_interval_usec = 20 * USEC_PER_MSEC;
	start_two(f, 2, 3);
	report_g(f, 900, 60000);
	WAIT_FOR(f, have_about(f, 512, 0));
	for (unsigned i = 0; i < 6; i++) {
		uint16_t demand = i % 2 ? 50 : 900;

		report_h(f, demand);
		for (unsigned n = 0; n < 20; n++) {
			uint16_t g = domain_of(f, 0)->vcpus[1].have.floor1024;
			uint16_t h = domain_of(f, 1)->vcpus[1].have.floor1024;

			EXPECT(g + h <= 512, "%u + %u", g, h);
			assert_true(sd_event_run(f->event, 5000) >= 0);
		}
	}
	report_h(f, 900);
	WAIT_FOR(f, have_about(f, 256, 256));
}

static void test_goal(void **state)
{
	struct fixture *f = *state;

	start_two(f, 3, 3);
	report_g(f, 300, 60000);
	report_h(f, 400);
	expect_floors(f, floor_for(700), floor_for(700));
	/* What is off doesn't count for others either. */
	reload(f, CONF "[domain g]\ngoal = off\n");
	expect_floors(f, 0, floor_for(400));
	reload(f, CONF "[domain g]\ngoal = speed\n");
	expect_floors(f, floor_for(700), floor_for(700));
	assert_int_equal(lay(f, LIMIT_NONE, true), 0);
	expect_floors(f, 0, floor_for(400));
}

/* -- one domain -- */

/* What else runs on CPU 1, where its threads are: what isn't idle time there. */
static void write_stat(struct fixture *f, uint64_t idle_usec)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "cpu 1 1 1 1 1 1 1 1 0 0\ncpu1 0 0 0 %llu 0 0 0 0 0 0\nintr 5 1 2\n",
		 (unsigned long long)idle_usec / 10000);
	test_write(f->root, "proc/stat", text);
}

static void test_other_load(void **state)
{
	struct fixture *f = *state;
	const struct plan_have *have;
	uint64_t begin = now();

	f->config.placement = PLACE_OFF;
	write_stat(f, 0);
	start_with_guest(f);
	have = &domain_of(f, 0)->vcpus[1].have;
	send_report(f, 0, 200, 60000);
	/* It never idles, at three fifths of its speed: 614. */
	WAIT_FOR(f, have->floor1024 >= floor_for(200 + 500));
	assert_true(have->floor1024 <= floor_for(200 + 614) + f->config.floor_step);
	/* It idles all the time. */
	for (unsigned i = 0; i < 3000 && have->floor1024 > floor_for(200 + 60); i++) {
		write_stat(f, now() - begin);
		assert_true(sd_event_run(f->event, 10000) >= 0);
	}
	assert_true(have->floor1024 <= floor_for(200 + 60));
}

/* How long a thread has run. */
static void write_run(struct fixture *f, unsigned tid, uint64_t usec)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), "proc/%u/task/%u/schedstat", tid, tid);
	snprintf(text, sizeof(text), "%llu 1 1\n", (unsigned long long)usec * 1000 + 1000);
	test_write(f->root, path, text);
}

static void test_liar(void **state)
{
	struct fixture *f = *state;
	const struct plan_have *have;
	uint64_t begin;

	f->config.claim_check_usec = 20 * USEC_PER_MSEC;
	write_run(f, 1002, 0);
	start_with_guest(f);
	have = &domain_of(f, 0)->vcpus[1].have;
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	WAIT_FOR(f, have->floor1024 <= floor_for(CLAIMS_MARGIN) + f->config.floor_step);
	assert_true(status_has(f, "\"name\":\"claims\""));
	assert_true(status_has(f, "\"held_down\":true"));
	host_verify(f->host);
	assert_true(status_has(f, "\"name\":\"claims\""));
	/* A guest that connects anew isn't believed for that. */
	call_from(f, CID, PORT);
	send_hello(f);
	assert_true(status_has(f, "\"held_down\":true"));
	send_report(f, 0, 900, 60000);
	/* It does run, at three fifths of the speed: on a host that counts time that is all it can.
	 */
	begin = now();
	for (unsigned i = 0; i < 3000 && status_has(f, "\"name\":\"claims\""); i++) {
		write_run(f, 1002, now() - begin);
		assert_true(sd_event_run(f->event, 10000) >= 0);
	}
	assert_false(status_has(f, "\"name\":\"claims\""));
	assert_false(status_has(f, "\"held_down\":true"));
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
}

/* As write_thread() has it, but it runs. */
static void write_running(struct fixture *f, unsigned tid)
{
	char path[128], text[256];

	snprintf(path, sizeof(path), "proc/%u/task/%u/stat", tid, tid);
	snprintf(text, sizeof(text),
		 "%u (CPU 1/KVM) R 1 1 1 0 -1 0 0 0 0 0 5 5 0 0 20 0 9 0 %u 0 0 0 0 0 0 0 0 0 0 0 "
		 "0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		 tid, 1000 + tid);
	test_write(f->root, path, text);
}

/* A kernel that by its number adds a quarter to floors, but whose CPU runs at the very frequency
 * of one; not so while another thread has a floor there. */
static void test_headroom(void **state)
{
	static const char policy[] = "sys/devices/system/cpu/cpufreq/policy1/";
	struct fixture *f = *state;
	const struct vcpu *vcpus;
	char path[128];

	test_write(f->root, "proc/sys/kernel/osrelease", "6.1.0-test\n");
	snprintf(path, sizeof(path), "%sscaling_available_frequencies", policy);
	test_write(f->root, path, "2400000 1800000 1500000 1200000 600000 \n");
	snprintf(path, sizeof(path), "%sscaling_cur_freq", policy);
	test_write(f->root, path, "1500000\n");
	f->config.placement = PLACE_OFF;
	write_running(f, 1001);
	write_running(f, 1002);
	start_with_guest(f);
	vcpus = domain_of(f, 0)->vcpus;
	send_report(f, 240, 240, 60000);
	WAIT_FOR(f, vcpus[0].seen.round > 30 && vcpus[1].seen.round > 30);
	assert_true(status_has(f, "\"headroom\":1024"));
	send_report(f, 0, 480, 60000);
	WAIT_FOR(f, status_has(f, "\"headroom\":1280"));
	assert_true(status_has(f, "\"invariant\":false"));
}

/* Whatever is written brings both floor and ceiling to what is wanted. */
static void test_one_write(void **state)
{
	struct fixture *f = *state;
	struct vcpu *vcpu;
	unsigned writes = 0;

	f->config.floor_step = 1;
	f->config.placement = PLACE_OFF;
	start_with_trusted_guest(f);
	vcpu = &domain_of(f, 0)->vcpus[1];
	send_report(f, 0, 500, 60000);
	WAIT_FOR(f, vcpu->have.ceiling1024 < 1024 && vcpu->have.ceiling1024 > 0);
	send_report(f, 0, 200, 60000);
	for (unsigned i = 0; i < 3000 && vcpu->have.floor1024 != floor_for(200); i++) {
		uint64_t written_usec = vcpu->have.written_usec;

		assert_true(sd_event_run(f->event, 10000) >= 0);
		if (vcpu->have.written_usec == written_usec)
			continue;
		writes++;
		assert_int_equal(vcpu->have.floor1024, vcpu->want.floor1024);
		assert_int_equal(vcpu->have.ceiling1024, vcpu->want.ceiling1024);
	}
	assert_int_equal(vcpu->have.floor1024, floor_for(200));
	assert_true(vcpu->have.ceiling1024 < 500);
	EXPECT(writes <= 12, "%u", writes);
}

/* A write takes its time, so what rises is written first. */
static void test_rises_first(void **state)
{
	struct fixture *f = *state;
	const struct vcpu *falls, *rises;
	uint64_t before_usec;

	start_two(f, 3, 2);
	falls = &domain_of(f, 0)->vcpus[0];
	rises = &domain_of(f, 0)->vcpus[1];
	send_report(f, 600, 100, 60000);
	WAIT_FOR(f, falls->have.floor1024 == floor_for(600) &&
			    rises->have.floor1024 == floor_for(100));
	before_usec = rises->have.written_usec;
	send_report(f, 100, 600, 60000);
	WAIT_FOR(f, rises->have.written_usec > before_usec);
	assert_int_equal(rises->have.floor1024, floor_for(600));
	assert_true(falls->have.floor1024 < floor_for(600));
	assert_true(falls->have.written_usec > rises->have.written_usec);
}

/* How often it wakes in this time. */
static uint64_t count_wakes(struct fixture *f, uint64_t usec)
{
	uint64_t before = 0, after = 0;

	sd_event_get_iteration(f->event, &before);
	for (uint64_t until = now() + usec, at = now(); at < until; at = now())
		assert_true(sd_event_run(f->event, until - at) >= 0);
	sd_event_get_iteration(f->event, &after);
	return after - before;
}

static void put_thread(struct fixture *f, unsigned i, char state)
{
	const struct vcpu_thread *thread = &domain_of(f, 0)->vcpus[i].thread;
	char cgroup[600];

	snprintf(cgroup, sizeof(cgroup), "sys/fs/cgroup%s", thread->cgroup);
	write_thread_in(f->root, (unsigned)thread->tid, cgroup, state);
}

/* A change that is less than a step isn't told. */
static void test_feedback_in_steps(void **state)
{
	static const char file[] = "sys/devices/system/cpu/cpufreq/policy1/scaling_cur_freq";
	struct fixture *f = *state;
	struct domain *domain;
	uint32_t sequence;

	f->config.feedback_interval_usec = 5 * USEC_PER_MSEC;
	start_with_guest(f);
	domain = domain_of(f, 0);
	send_report(f, 0, 500, 60000);
	assert_int_equal(domain->vcpus[1].told.capacity, 1024);
	assert_int_equal(domain->vcpus[1].told.freq_khz, 1875000);
	assert_int_equal(domain->vcpus[1].told.freq_max_khz, 3000000);
	sequence = domain->feedback_sequence;
	test_write(f->root, file, "1500000\n");
	count_wakes(f, 100 * USEC_PER_MSEC);
	assert_int_equal(domain->feedback_sequence, sequence);
	test_write(f->root, file, "2100000\n");
	WAIT_FOR(f, domain->feedback_sequence != sequence);
	assert_int_equal(domain->vcpus[1].told.freq_khz, 2250000);
	/* While they sleep their CPU's frequency says nothing of them. */
	for (unsigned i = 0; i < 2; i++)
		put_thread(f, i, 'S');
	sequence = domain->feedback_sequence;
	test_write(f->root, file, "600000\n");
	count_wakes(f, 100 * USEC_PER_MSEC);
	assert_int_equal(domain->feedback_sequence, sequence);
}

/* One that has a new floor and sleeps at each look isn't left for a whole interval, but where the guest's
 * load tracking doesn't go by what it is told. */
static void test_feedback_is_owed(void **state)
{
	static const char file[] = "sys/devices/system/cpu/cpufreq/policy1/scaling_cur_freq";
	struct fixture *f = *state;
	struct domain *domain;

	f->config.feedback_interval_usec = 1000 * USEC_PER_SEC;
	start_with_guest(f);
	domain = domain_of(f, 0);
	WAIT_FOR(f, domain->vcpus[1].told.capacity > 0);
	domain->hello->invariant = true;
	domain->hello->cpufreq = CPUFREQ_OURS;
	put_thread(f, 1, 'S');
	test_write(f->root, file, "3000000\n");
	send_report(f, 0, 500, 60000);
	count_wakes(f, 50 * USEC_PER_MSEC);
	assert_true(domain->vcpus[1].owed);
	assert_int_equal(domain->vcpus[1].told.freq_khz, 1875000);
	put_thread(f, 1, 'R');
	WAIT_FOR(f, domain->vcpus[1].told.freq_khz == 3000000);
	assert_false(domain->vcpus[1].owed);
	domain->hello->invariant = false;
	put_thread(f, 1, 'S');
	send_report(f, 0, 900, 60000);
	WAIT_FOR(f, domain->vcpus[1].owed);
	/* the one that the write brought, and no more */
	count_wakes(f, 20 * USEC_PER_MSEC);
	put_thread(f, 1, 'R');
	count_wakes(f, 50 * USEC_PER_MSEC);
	assert_true(domain->vcpus[1].owed);
}

static void remove_file(const struct fixture *f, const char *path)
{
	_cleanup_close_ int root_fd = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(unlinkat(root_fd, path, 0), 0);
}

/* Looks go on while something is demanded, ten milliseconds apart, and end. */
static void test_looks_end(void **state)
{
	struct fixture *f = *state;
	const struct domain *domain;
	uint64_t wakes;
	uint32_t round;

	f->config.placement = PLACE_OFF;
	start_with_guest(f);
	domain = domain_of(f, 0);
	send_report(f, 0, 500, 60000);
	round = domain->vcpus[1].seen.round;
	wakes = count_wakes(f, 300 * USEC_PER_MSEC);
	EXPECT(wakes <= 3 * 30 + 10, "%llu", (unsigned long long)wakes);
	WAIT_FOR(f, domain->vcpus[1].seen.round > round + 3);
	/* A thread of which nothing is demanded isn't looked at. */
	assert_int_equal(domain->vcpus[0].seen.round, 0);
	send_report(f, 0, 0, 60000);
	WAIT_FOR(f, domain->vcpus[1].have.floor1024 == 0);
	count_wakes(f, 300 * USEC_PER_MSEC);
	wakes = count_wakes(f, 300 * USEC_PER_MSEC);
	EXPECT(wakes <= 2, "%llu", (unsigned long long)wakes);
	/* A thread that has gone is no matter. */
	remove_file(f, "proc/1002/task/1002/stat");
	send_report(f, 0, 500, 60000);
	round = domain->vcpus[1].seen.round;
	count_wakes(f, 50 * USEC_PER_MSEC);
	assert_int_equal(domain->vcpus[1].seen.round, round);
}

#define TWO_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown_two)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TEST(test_two_on_one_cpu), TWO_TEST(test_two_on_two_cpus),
		TWO_TEST(test_silent_guest),   TWO_TEST(test_budget),
		TWO_TEST(test_budget_stands),  TWO_TEST(test_goal),
		HOST_TEST(test_other_load),    HOST_TEST(test_liar),
		HOST_TEST(test_one_write),     HOST_TEST(test_headroom),
		HOST_TEST(test_looks_end),     HOST_TEST(test_feedback_in_steps),
		TWO_TEST(test_rises_first),    HOST_TEST(test_feedback_is_owed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
