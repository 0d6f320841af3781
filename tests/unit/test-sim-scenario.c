/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test_scenario.h"

#include "tests/sim/bound.h"
#include "tests/sim/load.h"
#include "tests/sim/step.h"
#include "tests/sim/text.h"

static void test_values(_unused_ void **state)
{
	struct text_amount amount;
	struct text_range range;
	uint64_t nsec, cpus;
	double share;

	assert_int_equal(text_nsec("2.5ms", &nsec), 0);
	assert_int_equal(nsec, 2500000);
	assert_int_equal(text_nsec("20", &nsec), -EINVAL);
	assert_int_equal(text_share("12.5%", &share), 0);
	assert_true(share == 0.125);
	assert_int_equal(text_share("12.5", &share), -EINVAL);
	assert_int_equal(text_share("-5%", &share), -EINVAL);
	assert_int_equal(text_share("0x10%", &share), -EINVAL);
	assert_int_equal(text_range("2ms..5ms", &range), 0);
	assert_int_equal(range.low, 2 * SIM_MSEC);
	assert_int_equal(range.high, 5 * SIM_MSEC);
	assert_int_equal(text_range("5ms..2ms", &range), -EINVAL);
	assert_int_equal(text_range("2ms..", &range), -EINVAL);
	assert_int_equal(text_amount("4%..10%", &amount), 0);
	assert_true(amount.is_share && amount.low == 0.04 && amount.high == 0.1);
	assert_int_equal(text_amount("3ms", &amount), 0);
	assert_true(!amount.is_share && amount.low == 3e6 && amount.high == 3e6);
	assert_int_equal(text_amount("3ms..4%", &amount), -EINVAL);
	assert_int_equal(text_cpus("0-2,5", &cpus), 0);
	assert_int_equal(cpus, 0x27);
	assert_int_equal(text_cpus("63", &cpus), 0);
	assert_int_equal(text_cpus("64", &cpus), -EINVAL);
	assert_int_equal(text_cpus("2-1", &cpus), -EINVAL);
	assert_int_equal(text_cpus("1,", &cpus), -EINVAL);
	assert_int_equal(text_cpus("1x", &cpus), -EINVAL);
}

static const char everything[] =
	"# a comment\n"
	"name all\n"
	"about Some # words\n"
	"about more.\n"
	"warm-up 1s\n"
	"length 9s\n"
	"steady 2s..3s\n"
	"host separate cpus 3 latency 50us rate-limit 4ms power 2W kernel 6.1 halt-poll 0\n"
	"path delay 2ms jitter 10us stalls 1% 20ms cuts 1s\n"
	"budget 150%\n"
	"vm a vcpus 2 pins 0/1-2 agent liar 50% goal energy weight 7 floor-max 25% no-feedback "
	"invariant counts\n"
	"vm b count 3 vcpus 1 pins each:1-2 runs 1s..end silent 2s..4s halt-poll 100us\n"
	"load x on a periodic tasks 3 work 4%..10% period 32ms..64ms vary 25% deadline none "
	"neighbour\n"
	"load y on b server tasks 2 every 5ms work 1ms..2ms deadline 9ms from 2s until 4s\n"
	"load z on host:0-1 hog background weight 512\n"
	"at 3s vcpu a 1 off\n"
	"at 4s pin b 0\n"
	"bound parity none\n"
	"bound misses x <= 3%\n";

static void check_machine(const struct scenario *s)
{
	assert_string_equal(s->name, "all");
	assert_string_equal(s->about, "Some more.");
	assert_int_equal(s->warm_nsec, SIM_SEC);
	assert_int_equal(s->length_nsec, 9 * SIM_SEC);
	assert_int_equal(s->steady_until_nsec, 3 * SIM_SEC);
	assert_int_equal(s->machine.kernel.n_cpus, 3);
	assert_int_equal(s->machine.n_domains, 3);
	assert_int_equal(s->machine.domain[2].latency_nsec, 50000);
	assert_int_equal(s->machine.domain[2].rate_limit_nsec, 4000000);
	assert_true(s->machine.budget_mw == 2000);
	assert_int_equal(s->machine.release_major * 100 + s->machine.release_minor, 601);
	assert_int_equal(s->path.delay_nsec, 2 * SIM_MSEC);
	assert_int_equal(s->path.jitter_nsec, 10000);
	assert_true(s->path.stall_share == 0.01);
	assert_int_equal(s->path.stall_nsec, 20 * SIM_MSEC);
	assert_int_equal(s->path.cut_every_nsec, SIM_SEC);
	assert_int_equal(s->budget1024_percent, 150);
}

static void check_vms(const struct scenario *s)
{
	const struct scenario_vm *a = &s->vms[0], *b = &s->vms[3];

	assert_int_equal(s->n_vms, 4);
	assert_string_equal(a->vm.name, "a");
	assert_int_equal(a->vm.n_vcpus, 2);
	assert_int_equal(a->vm.pin[0], 1);
	assert_int_equal(a->vm.pin[1], 6);
	assert_true(a->vm.invariant && a->vm.counts);
	assert_int_equal(a->vm.halt_poll_nsec, 0);
	assert_int_equal(a->agent.kind, AGENT_LIAR);
	assert_int_equal(a->agent.lie_util1024, 512);
	assert_int_equal(a->agent.goal, 2);
	assert_int_equal(a->agent.weight, 7);
	assert_int_equal(a->agent.floor_max1024, 256);
	assert_false(a->agent.feedback);
	assert_int_equal(a->stop_nsec, SIM_NEVER);
	assert_int_equal(a->agent.silent_from_nsec, SIM_NEVER);
	assert_string_equal(b->vm.name, "b3");
	assert_int_equal(s->vms[1].vm.pin[0], 2);
	assert_int_equal(s->vms[2].vm.pin[0], 4);
	assert_int_equal(b->vm.pin[0], 2);
	assert_int_equal(b->vm.halt_poll_nsec, 100000);
	assert_int_equal(b->start_nsec, SIM_SEC);
	assert_int_equal(b->agent.silent_until_nsec, 4 * SIM_SEC);
	assert_int_equal(b->agent.kind, AGENT_BPF);
	assert_true(b->agent.feedback);
}

static void check_rest(const struct scenario *s)
{
	assert_int_equal(s->n_loads, 3);
	assert_int_equal(s->loads[0].tasks, 3);
	assert_true(s->loads[0].work.is_share && s->loads[0].work.high == 0.1);
	assert_int_equal(s->loads[0].period.high, 64 * SIM_MSEC);
	assert_true(s->loads[0].vary == 0.25 && s->loads[0].neighbour);
	assert_int_equal(s->loads[0].deadline_nsec, SIM_NEVER);
	assert_int_equal(s->loads[1].first_vm, 1);
	assert_int_equal(s->loads[1].n_vms, 3);
	assert_int_equal(s->loads[1].until_nsec, 4 * SIM_SEC);
	assert_true(s->loads[2].on_host && s->loads[2].background);
	assert_int_equal(s->loads[2].cpus, 3);
	assert_int_equal(s->loads[2].weight, 512);
	assert_int_equal(s->n_steps, 2);
	assert_int_equal(s->steps[0].kind, STEP_VCPU);
	assert_int_equal(s->steps[0].cpu, 1);
	assert_false(s->steps[0].on);
	assert_int_equal(s->steps[1].n_vms, 3);
	assert_int_equal(s->steps[1].pin[0], 1);
	assert_int_equal(s->n_bounds, 2);
	assert_true(s->bounds[0].none && s->bounds[0].what == BOUND_PARITY);
	assert_true(s->bounds[1].what == BOUND_MISSES && !s->bounds[1].at_least);
	assert_true(s->bounds[1].value == 0.03);
	assert_string_equal(s->bounds[1].group, "x");
}

static void test_everything(_unused_ void **state)
{
	struct scenario *scenario;
	char *said;

	EXPECT(test_sim_read(everything, &scenario, &said) == 0, "%s", said);
	assert_string_equal(said, "");
	free(said);
	check_machine(scenario);
	check_vms(scenario);
	check_rest(scenario);
	scenario_free(scenario);
}

#define HEAD "name n\nabout a\nhost separate\nvm a vcpus 2 pins 0/1\n"

static void test_wrong_lines(_unused_ void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{"nonsense 1", "x.sim:5: there is no line 'nonsense'; take name"},
		{"host moon", "there is no host 'moon'; take one of separate"},
		{"host shared", "the host stands before the VMs"},
		{"length 4", "'4' is no time; write it with its unit"},
		{"length 400ms", "length must be more than warm-up"},
		{"warm-up", "'' is no time"},
		{"steady 2s", "steady is from when until when"},
		{"budget 200", "budget is a share of one largest CPU"},
		{"path delay 2", "delay can't be '2'; it takes a time with its unit"},
		{"path speed 2ms", "'speed' means nothing to path, which takes: delay, jitter"},
		{"path stalls 1%", "stalls are a share of the messages and their time"},
		{"path delay 1ms delay 2ms", "delay stands twice"},
		{"vm a", "there are two VMs 'a'"},
		{"vm host", "a VM needs a name"},
		{"vm b vcpus 65", "vcpus can't be '65'; it takes a number from 1 to 64"},
		{"vm b vcpus", "vcpus stands without a value; it takes a number"},
		{"vm b vcpus 2 pins 0/1/2", "for 2 vCPUs write a list for all"},
		{"vm b pins 4", "name a CPU that isn't there; the host has 4"},
		{"vm b agent spy", "there is no agent 'spy'; take bpf, proc, none or liar SHARE"},
		{"vm b agent liar", "a liar claims a share, such as liar 100%"},
		{"vm b goal fun", "there is no goal 'fun'"},
		{"vm b counts", "counts goes with invariant"},
		{"vm b runs 2s", "isn't from when until when"},
		{"vm b floor-max 120%", "floor-max can't be '120%'"},
		{"load x on b hog", "there is no VM 'b'; its line must stand before this"},
		{"load x in a hog", "a load is 'load NAME on VM PROGRAM ...'"},
		{"load x on a", "a load is 'load NAME on VM PROGRAM ...'"},
		{"load x on a sleep", "there is no program 'sleep'; take periodic"},
		{"load x on a periodic work 2ms", "periodic needs period"},
		{"load x on a periodic period 2ms", "periodic needs work"},
		{"load x on a periodic work 2 period 9ms",
		 "work can't be '2'; it takes a time or a share"},
		{"load x on a periodic work 2ms period 9us", "period can't be '9us'"},
		{"load x on a periodic work 2ms period 9ms vary 100%",
		 "vary must be less than 100%"},
		{"load x on a compile work 5% wait 1ms", "work of compile is a time"},
		{"load x on a ui work 1ms period 16ms share 1ms", "ui needs share and join"},
		{"load x on a timetable", "timetable needs file"},
		{"load x on a timetable file none.such", "timetable.py makes timetables"},
		{"load x on host:4 hog", "'host:4' names no CPUs of the host"},
		{"load x on a hog\nload x on a hog", "x.sim:6: there are two loads 'x'"},
		{"at 1s explode a", "nothing like 'explode' happens; take pause VM"},
		{"at 1s pause b", "there is no VM 'b'"},
		{"at 1s pause a now", "there is more than 'at TIME pause VM'"},
		{"at 1s vcpu a 2 off", "it needs a number from 0 to 1, and on or off"},
		{"at 1s cpu 4 off", "it needs a number from 0 to 3, and on or off"},
		{"at 1s cpu 3 maybe", "on or off"},
		{"at 1s pin a", "it is 'at TIME pin VM PINS'"},
		{"at 9s pause a", "something happens after the end"},
		{"bound speed >= 1", "there is no bound 'speed'; take one of gap"},
		{"bound parity > 1", "'>' compares nothing; write >= or <="},
		{"bound parity >=", "a bound is 'parity >= VALUE'"},
		{"bound misses a b <= 1%", "a bound is 'misses [LOAD] >= VALUE'"},
		{"bound loss <= 2", "loss can't be '2'; it takes a share such as 98%"},
		{"bound settle <= 20", "it takes a time such as 20ms"},
		{"bound top x >= 97", "it takes a share such as 98%"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scenario *scenario = NULL;
		char text[512], *said;

		snprintf(text, sizeof(text), HEAD "%s\n", rows[i].line);
		EXPECT(test_sim_read(text, &scenario, &said) < 0, "taken: %s", rows[i].line);
		EXPECT(strstr(said, rows[i].says), "%s: said is %s", rows[i].line, said);
		assert_non_null(strstr(said, "x.sim:"));
		assert_null(scenario);
		free(said);
	}
}

static void test_what_is_missing(_unused_ void **state)
{
	static const char *const rows[][2] = {
		{"about a\nhost separate\n", "the scenario has no name; add that line"},
		{"name n\nhost separate\n", "the scenario has no about; add that line"},
		{"name n\nabout a\n", "the scenario has no host; add 'host SHAPE'"},
		{"vm a\n", "a VM before its host; put the line 'host SHAPE' first"},
		{"name two words\n", "a name is one word"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scenario *scenario = NULL;
		char *said;

		assert_int_equal(test_sim_read(rows[i][0], &scenario, &said), -EINVAL);
		EXPECT(strstr(said, rows[i][1]), "%s: said is %s", rows[i][0], said);
		free(said);
	}
	assert_int_equal(scenario_read("/nowhere/x.sim", &(struct scenario *){NULL}), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_wrong_lines),
		cmocka_unit_test(test_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
