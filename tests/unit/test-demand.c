/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/demand.c: what vCPUs ask for, while the lease of their guest's reports holds. */
#include "tests/unit/test.h"

#include "hostd/demand.h"

#define T0	  (100 * USEC_PER_SEC)
#define LEASE_MAX USEC_PER_SEC

static struct demand vcpus[4];
static struct guest_demand guest;

static int setup(_unused_ void **state)
{
	memset(vcpus, 0xa5, sizeof(vcpus));
	memset(&guest, 0xa5, sizeof(guest));
	demand_init(&guest, vcpus, ARRAY_SIZE(vcpus));
	return 0;
}

/* A report, through the wire and back. */
static unsigned deliver(const struct message_report *out, const struct report_vcpu *records,
			uint64_t now_usec)
{
	uint8_t bytes[512];
	struct message message;
	int size = report_put(bytes, sizeof(bytes), out, records);

	assert_true(size > 0);
	struct frame frame = {MESSAGE_REPORT, bytes + FRAME_HEADER, (size_t)size - FRAME_HEADER};
	assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
	return demand_report(&guest, &message.report, LEASE_MAX, now_usec);
}

static unsigned send_records(uint16_t lease_msec, uint64_t now_usec, uint16_t n,
			     const struct report_vcpu *records)
{
	return deliver(&(struct message_report){.lease_msec = lease_msec, .n_vcpus = n}, records,
		       now_usec);
}

/* The same with up to 8 records of tasks that ask for nothing. */
static unsigned report(uint16_t lease_msec, uint64_t now_usec, uint16_t n,
		       const struct report_vcpu *records)
{
	struct report_vcpu full[8];

	for (unsigned i = 0; i < n; i++) {
		full[i] = records[i];
		full[i].freq_scale = 1024;
		full[i].uclamp_max = 1024;
	}
	return send_records(lease_msec, now_usec, n, full);
}

static unsigned report_one(uint16_t cpu, uint16_t util, uint64_t now_usec)
{
	return report(600, now_usec, 1, &(struct report_vcpu){.cpu = cpu, .util_est = util});
}

static void test_init(_unused_ void **state)
{
	static const struct demand zero;

	assert_false(demand_any(&guest));
	assert_false(guest.lapsed);
	assert_int_equal(guest.lease_until_usec, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_memory_equal(&vcpus[i], &zero, sizeof(zero));
	assert_false(demand_expire(&guest, UINT64_MAX));
	assert_false(guest.lapsed);
}

static void test_larger_of_the_two(_unused_ void **state)
{
	static const struct report_vcpu records[] = {
		{.cpu = 0, .util_avg = 300, .util_est = 200, .flags = VCPU_SATURATED},
		{.cpu = 2, .util_avg = 100, .util_est = 1024, .run_delay_usec = 5},
		{.cpu = 3, .steal_usec = 7},
	};

	assert_int_equal(report(600, T0, 3, records), 0);
	assert_int_equal(vcpus[0].util1024, 300);
	assert_int_equal(vcpus[0].flags, VCPU_SATURATED);
	assert_int_equal(vcpus[1].util1024, 0);
	assert_int_equal(vcpus[2].util1024, 1024);
	assert_int_equal(vcpus[2].util_avg, 100);
	assert_int_equal(vcpus[2].util_est, 1024);
	assert_int_equal(vcpus[3].util1024, 0);
	assert_true(demand_any(&guest));
	/* Delays add up; they are of the time since the record before. */
	report(600, T0 + 1, 3, records);
	assert_int_equal(vcpus[2].run_delay_usec, 10);
	assert_int_equal(vcpus[3].steal_usec, 14);
	assert_int_equal(vcpus[3].last_steal_usec, 7);
}

/* Utilization within what the tasks ask for: the minimum wins. */
static void test_requests(_unused_ void **state)
{
	static const struct {
		uint16_t avg, est, min, max, wanted;
	} rows[] = {
		{300, 200, 0, 1024, 300},   {300, 200, 299, 1024, 300},
		{300, 200, 400, 1024, 400}, {300, 200, 400, 350, 400},
		{300, 800, 0, 500, 500},    {800, 300, 0, 500, 500},
		{300, 200, 0, 500, 300},    {300, 800, 500, 500, 500},
		{900, 1000, 700, 600, 700}, {1024, 1024, 0, 0, 0},
		{1024, 1024, 1, 0, 1},	    {0, 0, 1024, 0, 1024},
		{0, 0, 0, 1024, 0},	    {0, 0, 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct report_vcpu record = {.cpu = 2,
						   .util_avg = rows[i].avg,
						   .util_est = rows[i].est,
						   .freq_scale = 1024,
						   .uclamp_min = rows[i].min,
						   .uclamp_max = rows[i].max};

		send_records(600, T0, 1, &record);
		EXPECT(vcpus[2].util1024 == rows[i].wanted, "row %zu: %u", i, vcpus[2].util1024);
		EXPECT(vcpus[2].uclamp_min == rows[i].min && vcpus[2].uclamp_max == rows[i].max,
		       "row %zu", i);
		EXPECT(demand_any(&guest) == (rows[i].wanted > 0), "row %zu", i);
		EXPECT((guest.lease_until_usec > 0) == (rows[i].wanted > 0), "row %zu", i);
		assert_int_equal(vcpus[1].util1024, 0);
	}
}

/* A request alone is a demand as any other: its lease runs out, a renewal brings it back, and it
 * ends with the connection. */
static void test_request_is_leased(_unused_ void **state)
{
	static const struct report_vcpu record = {
		.cpu = 1, .freq_scale = 1024, .uclamp_min = 300, .uclamp_max = 1024};

	send_records(600, T0, 1, &record);
	assert_int_equal(vcpus[1].util1024, 300);
	assert_true(demand_expire(&guest, T0 + 600000));
	assert_int_equal(vcpus[1].util1024, 0);
	report(600, T0 + USEC_PER_SEC, 0, NULL);
	assert_int_equal(vcpus[1].util1024, 300);
	demand_hold(&guest, 1, true);
	report(600, T0 + USEC_PER_SEC, 0, NULL);
	assert_int_equal(vcpus[1].util1024, 0);
	demand_hold(&guest, 1, false);
	demand_forget(&guest);
	report(600, T0 + USEC_PER_SEC, 0, NULL);
	assert_int_equal(vcpus[1].util1024, 0);
	assert_int_equal(vcpus[1].uclamp_min, 0);
}

/* A guest that names CPUs which its domain doesn't have gets nothing for them. */
static void test_foreign_vcpus(_unused_ void **state)
{
	static const struct report_vcpu records[] = {{.cpu = 3, .util_est = 1},
						     {.cpu = 4, .util_est = 1024},
						     {.cpu = 1023, .util_est = 1024}};

	assert_int_equal(report(600, T0, 3, records), 2);
	assert_int_equal(vcpus[3].util1024, 1);
	guest.n_vcpus = 0;
	assert_int_equal(report(600, T0, 3, records), 3);
	assert_false(demand_any(&guest));
	assert_int_equal(guest.lease_until_usec, 0);
}

static void test_lease_from_arrival(_unused_ void **state)
{
	static const struct {
		uint16_t lease_msec;
		uint64_t until;
	} rows[] = {{1, T0 + 1000},
		    {600, T0 + 600000},
		    {1000, T0 + 1000000},
		    {1001, T0 + 1000000},
		    {60000, T0 + 1000000}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		report(rows[i].lease_msec, T0, 1, &(struct report_vcpu){.util_est = 1});
		EXPECT(guest.lease_until_usec == rows[i].until, "row %zu", i);
	}
}

static void test_expiry(_unused_ void **state)
{
	report_one(1, 500, T0);
	assert_false(demand_expire(&guest, T0));
	assert_false(demand_expire(&guest, T0 + 599999));
	assert_int_equal(vcpus[1].util1024, 500);
	assert_true(demand_expire(&guest, T0 + 600000));
	assert_true(guest.lapsed);
	assert_false(demand_any(&guest));
	assert_int_equal(vcpus[1].util1024, 0);
	/* Once. */
	assert_false(demand_expire(&guest, T0 + 600001));
	assert_false(demand_expire(&guest, UINT64_MAX));
	assert_true(guest.lapsed);
}

/* A lease is the guest's: each report renews what the earlier ones said. */
static void test_renewal(_unused_ void **state)
{
	report_one(1, 500, T0);
	report(600, T0 + 500000, 0, NULL);
	assert_false(demand_expire(&guest, T0 + 1099999));
	assert_int_equal(vcpus[1].util1024, 500);
	report_one(2, 100, T0 + 1099999);
	assert_false(demand_expire(&guest, T0 + 1600000));
	assert_int_equal(vcpus[1].util1024, 500);
	assert_true(demand_expire(&guest, T0 + 1699999));
	assert_int_equal(vcpus[1].util1024, 0);
	assert_int_equal(vcpus[2].util1024, 0);
}

static void test_explicit_zero(_unused_ void **state)
{
	report_one(1, 500, T0);
	report_one(1, 0, T0 + 1000);
	assert_false(demand_any(&guest));
	assert_int_equal(guest.lease_until_usec, 0);
	/* Silence is right then. */
	assert_false(demand_expire(&guest, T0 + 100 * USEC_PER_SEC));
	assert_false(guest.lapsed);
}

/* A guest that was paused doesn't know that its lease ran out: its next report, were it a pure
 * renewal, brings back what it doesn't name. */
static void test_renewal_after_lapse(_unused_ void **state)
{
	report_one(1, 500, T0);
	report_one(2, 300, T0);
	assert_true(demand_expire(&guest, T0 + 5 * USEC_PER_SEC));
	report(600, T0 + 6 * USEC_PER_SEC, 0, NULL);
	assert_false(guest.lapsed);
	assert_int_equal(vcpus[1].util1024, 500);
	assert_int_equal(guest.lease_until_usec, T0 + 6 * USEC_PER_SEC + 600000);

	assert_true(demand_expire(&guest, T0 + 10 * USEC_PER_SEC));
	report_one(1, 0, T0 + 11 * USEC_PER_SEC);
	assert_int_equal(vcpus[1].util1024, 0);
	assert_int_equal(vcpus[2].util1024, 300);
}

/* A new connection starts from nothing, whatever had been said. */
static void test_forget(_unused_ void **state)
{
	report_one(1, 500, T0);
	demand_forget(&guest);
	assert_false(demand_any(&guest));
	assert_int_equal(guest.lease_until_usec, 0);
	assert_int_equal(vcpus[1].util_est, 0);
	report(600, T0 + 1, 0, NULL);
	assert_false(demand_any(&guest));

	report_one(1, 500, T0);
	assert_true(demand_expire(&guest, T0 + 5 * USEC_PER_SEC));
	demand_forget(&guest);
	assert_false(guest.lapsed);
	report(600, T0 + 6 * USEC_PER_SEC, 0, NULL);
	assert_false(demand_any(&guest));
}

/* All but what is counted. */
static void test_forget_each_field(_unused_ void **state)
{
	static const struct report_vcpu record = {.cpu = 2,
						  .util_avg = 1,
						  .util_est = 2,
						  .uclamp_min = 3,
						  .uclamp_max = 4,
						  .freq_scale = 700,
						  .flags = VCPU_SATURATED,
						  .run_delay_usec = 5,
						  .steal_usec = 6};
	const struct demand *demand = &vcpus[2];

	send_records(600, T0, 1, &record);
	assert_int_equal(demand->util1024, 3);
	assert_int_equal(demand->freq_scale, 700);
	demand_forget(&guest);
	assert_int_equal(demand->freq_scale, 1024); /* as long as nobody says otherwise */
	assert_int_equal(demand->util1024, 0);
	assert_int_equal(demand->util_avg, 0);
	assert_int_equal(demand->util_est, 0);
	assert_int_equal(demand->uclamp_min, 0);
	assert_int_equal(demand->uclamp_max, 0);
	assert_int_equal(demand->flags, 0);
	assert_int_equal(demand->run_delay_usec, 5);
	assert_int_equal(demand->steal_usec, 6);
}

/* A CPU is the vCPU that its id says, not that of its number. */
static void test_identity(_unused_ void **state)
{
	static struct vcpu_identity identity;

	vcpu_identity_by_number(&identity, 4, IDENTITY_BY_ID);
	identity.vcpu_of_cpu[1] = 3;
	identity.vcpu_of_cpu[3] = VCPU_IDENTITY_NONE;
	identity.vcpu_of_cpu[900] = 2;
	guest.identity = &identity;
	assert_int_equal(report_one(1, 700, T0), 0);
	assert_int_equal(report_one(3, 800, T0), 1);
	assert_int_equal(report_one(900, 600, T0), 0);
	assert_int_equal(vcpus[1].util1024, 0);
	assert_int_equal(vcpus[2].util1024, 600);
	assert_int_equal(vcpus[3].util1024, 700);
}

/* What is said of a vCPU that isn't there is kept for when it is. */
static void test_held(_unused_ void **state)
{
	demand_hold(&guest, 2, true);
	assert_int_equal(report_one(2, 700, T0), 0);
	assert_int_equal(vcpus[2].util1024, 0);
	assert_int_equal(vcpus[2].util_est, 700);
	assert_false(demand_any(&guest));
	assert_int_equal(guest.lease_until_usec, 0);
	demand_hold(&guest, 2, false);
	assert_false(demand_any(&guest));
	report(600, T0 + 1, 0, NULL);
	assert_int_equal(vcpus[2].util1024, 700);
	demand_hold(&guest, 2, true);
	assert_int_equal(vcpus[2].util1024, 0);
}

/* What lies beside a guest's vCPUs is neither read nor written. */
static void test_neighbours(_unused_ void **state)
{
	struct demand room[4], before;

	memset(room, 0x5a, sizeof(room));
	before = room[0];
	demand_init(&guest, &room[1], 2);
	assert_false(demand_any(&guest));
	assert_int_equal(report_one(2, 100, T0), 1);
	for (uint16_t cpu = 0; cpu < 2; cpu++) {
		assert_int_equal(report_one(cpu, 100, T0), 0);
		assert_true(demand_any(&guest));
		assert_true(demand_expire(&guest, T0 + LEASE_MAX));
		assert_false(demand_any(&guest));
		demand_forget(&guest);
	}
	assert_int_equal(report_one(0, 100, T0), 0);
	demand_forget(&guest);
	assert_false(demand_any(&guest));
	assert_memory_equal(&room[0], &before, sizeof(before));
	assert_memory_equal(&room[3], &before, sizeof(before));
}

/* A record of a vCPU at a time of the guest's clock, the defaults those of a guest that runs at its
 * full scale: whether a task has left. */
static bool record(uint64_t stamp_usec, struct report_vcpu vcpu)
{
	const struct message_report out = {
		.stamp_usec = stamp_usec, .lease_msec = 600, .n_vcpus = 1};

	vcpu.cpu = 1;
	vcpu.freq_scale = vcpu.freq_scale ? vcpu.freq_scale : 1024;
	vcpu.uclamp_max = 1024;
	deliver(&out, &vcpu, T0);
	return vcpus[1].left;
}

#define STAMP	   (1000 * USEC_PER_SEC)
#define PERIODS(n) ((uint64_t)(n)*1048576 / 1000) /* PELT's, in usec */

/* From 800 to util_avg in a time, at a scale: has a task left? It sleeps: util_avg halves in 32
 * periods of 1.048576 ms. A record may be 5 ms older than its time (800 x y^4.77 = 721.52,
 * rounded), and 32 below is near. */
static void test_sleeps_or_leaves(_unused_ void **state)
{
	static const struct {
		uint64_t usec;
		uint16_t util, scale;
		bool left;
	} rows[] = {
		{0, 800, 1024, false},
		{0, 690, 1024, false},
		{0, 689, 1024, true},
		{1000, 0, 1024, true}, /* 800 x y^5.72 = 706.78 */
		{1000, 675, 1024, false},
		{1000, 674, 1024, true},
		/* A half-life and the tick: 360.76. */
		{PERIODS(32), 400, 1024, false},
		{PERIODS(32), 329, 1024, false},
		{PERIODS(32), 328, 1024, true},
		/* Had it slept for so long, there would have been a report at 250. */
		{PERIODS(64), 218, 1024, false},
		{PERIODS(64), 217, 1024, true},
		{100 * USEC_PER_SEC, 218, 1024, false},
		{100 * USEC_PER_SEC, 217, 1024, true},
		/* But not if its clock is behind by more than 5 ms, which it makes good at once. */
		{80000, 217, 960, true}, /* by 5 ms */
		{100000, 217, 973, true},
		{100000, 217, 972, false},
		{100000, 40, 972, true}, /* 800 x y^104.98 = 82.3 */
		/* Its clock went at half the speed, so half of the time more is made good: y^(48
		 * + 4.77), 255.1. */
		{PERIODS(32), 223, 512, false},
		{PERIODS(32), 222, 512, true},
		{PERIODS(32), 147, 1, true},
		{PERIODS(32), 149, 1, false}, /* nearly y^(64 + 4.77) */
		{1000, 900, 1024, false},     /* others have come */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		EXPECT(!record(STAMP, (struct report_vcpu){.util_avg = 800,
							   .util_est = 1,
							   .freq_scale = rows[i].scale}),
		       "row %zu: nothing is known before", i);
		EXPECT(record(STAMP + rows[i].usec,
			      (struct report_vcpu){.util_avg = rows[i].util,
						   .util_est = 1,
						   .freq_scale = rows[i].scale}) == rows[i].left,
		       "row %zu", i);
	}
}

/* An explicit zero stands for 51: what isn't worth reporting. */
static void test_explicit_zero_is_a_little(_unused_ void **state)
{
	record(STAMP, (struct report_vcpu){.util_avg = 800});
	assert_true(record(STAMP + 1000, (struct report_vcpu){}));
	assert_int_equal(vcpus[1].ref_avg, 51);
	assert_int_equal(vcpus[1].ref_usec, STAMP + 1000);
	assert_false(record(STAMP + 2000, (struct report_vcpu){}));
	/* It has slept: 100 x y^36.8 = 45.1. */
	record(STAMP + 3000, (struct report_vcpu){.util_avg = 100});
	assert_false(record(STAMP + 3000 + PERIODS(32), (struct report_vcpu){}));
	/* Not more than it was. */
	record(STAMP + USEC_PER_SEC, (struct report_vcpu){.util_avg = 30});
	assert_false(record(STAMP + USEC_PER_SEC + 1, (struct report_vcpu){}));
	assert_int_equal(vcpus[1].ref_avg, 30);
	/* One of the two is no explicit zero. */
	record(STAMP + 2 * USEC_PER_SEC, (struct report_vcpu){.util_avg = 80});
	assert_true(record(STAMP + 2 * USEC_PER_SEC, (struct report_vcpu){.util_est = 1}));
	assert_int_equal(vcpus[1].ref_avg, 0);
	record(STAMP + 3 * USEC_PER_SEC, (struct report_vcpu){.util_avg = 60});
	record(STAMP + 3 * USEC_PER_SEC, (struct report_vcpu){.util_avg = 1});
	assert_int_equal(vcpus[1].ref_avg, 1);
}

/* From 100 to util_avg in a time: has a task come? Had it grown from nothing on the CPU, 924 would
 * be missing still x y^4.77 at once (833.4), x y^12.4 from 8 ms on (706.4); and 96 more is near. */
static void test_comes(_unused_ void **state)
{
	static const struct {
		uint64_t usec;
		uint16_t util;
		bool came;
	} rows[] = {
		{0, 100, false},
		{0, 285, false},
		{0, 287, false},
		{0, 288, true},
		{0, 289, true},
		{1000, 302, false}, /* 924 x y^5.72 = 816.3 */
		{1000, 306, true},
		{8000, 411, false},
		{8000, 416, true},
		{9000, 411, false},
		{9000, 416, true},
		{100 * USEC_PER_SEC, 411, false},
		{100 * USEC_PER_SEC, 416, true},
		{USEC_PER_SEC, 0, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		record(STAMP, (struct report_vcpu){.util_avg = 100});
		EXPECT(!vcpus[1].came, "row %zu: nothing is known before", i);
		record(STAMP + rows[i].usec, (struct report_vcpu){.util_avg = rows[i].util});
		EXPECT(vcpus[1].came == rows[i].came, "row %zu", i);
		/* The next has grown from there. */
		record(STAMP + rows[i].usec, (struct report_vcpu){.util_avg = rows[i].util});
		EXPECT(!vcpus[1].came, "row %zu", i);
	}
	/* Another connection knows nothing of it, nor does a clock that went back. */
	record(STAMP + 200 * USEC_PER_SEC, (struct report_vcpu){.util_avg = 1000});
	assert_true(vcpus[1].came);
	demand_forget(&guest);
	assert_false(vcpus[1].came);
	record(STAMP, (struct report_vcpu){.util_avg = 100});
	record(STAMP - 1, (struct report_vcpu){.util_avg = 1000});
	assert_false(vcpus[1].came);
}

/* Whether something is runnable there; what the guest doesn't know isn't none. */
static void test_sleeps(_unused_ void **state)
{
	static const struct {
		uint16_t runnable;
		bool sleeps;
	} rows[] = {{0, true}, {1, false}, {7, false}, {PROTO_UNKNOWN_U16, false}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		record(STAMP, (struct report_vcpu){.util_avg = 800, .runnable = rows[i].runnable});
		EXPECT(vcpus[1].sleeps == rows[i].sleeps, "row %zu", i);
	}
}

/* A record is news until whoever reads it says that it isn't; a renewal is none. */
static void test_news(_unused_ void **state)
{
	assert_false(vcpus[1].news);
	report_one(1, 500, T0);
	assert_true(vcpus[1].news);
	assert_false(vcpus[2].news);
	report_one(2, 500, T0);
	assert_true(vcpus[1].news);
	vcpus[1].news = vcpus[2].news = false;
	report(600, T0, 0, NULL);
	assert_false(vcpus[1].news);
}

/* `left` is of one record: the next that names the vCPU takes it back. */
static void test_left_is_of_one_record(_unused_ void **state)
{
	record(STAMP, (struct report_vcpu){.util_avg = 800});
	assert_true(record(STAMP + 1000, (struct report_vcpu){.util_avg = 300}));
	assert_false(record(STAMP + 2000, (struct report_vcpu){.util_avg = 300}));
	assert_true(record(STAMP + 3000, (struct report_vcpu){.util_avg = 200}));
	assert_true(record(STAMP + 3001, (struct report_vcpu){}));
	assert_false(record(STAMP + 3002, (struct report_vcpu){}));
}

/* What its clock lost adds up while it is busy, and is made good when it idles. */
static void test_behind(_unused_ void **state)
{
	static const struct report_vcpu busy = {.util_avg = 800, .freq_scale = 256, .runnable = 1};

	record(STAMP, busy);
	assert_int_equal(vcpus[1].behind_usec, 0);
	record(STAMP + 10000, busy);
	assert_int_equal(vcpus[1].behind_usec, 7500);
	record(STAMP + 20000, busy);
	assert_int_equal(vcpus[1].behind_usec, 15000);
	/* 10 + 7.5 + 15 + 5 ms: 800 x y^35.76 = 368.7 */
	assert_false(
		record(STAMP + 30000, (struct report_vcpu){.util_avg = 337, .freq_scale = 256}));
	assert_int_equal(vcpus[1].behind_usec, 0);
	/* At most 200 ms, for a second at most. */
	record(STAMP + 40000, busy);
	record(STAMP + 400000, busy);
	assert_int_equal(vcpus[1].behind_usec, 200000);
	record(STAMP + 400000 + 100 * USEC_PER_SEC, busy);
	assert_int_equal(vcpus[1].behind_usec, 200000);
	/* An unknown number of tasks isn't none. */
	record(STAMP + 600 * USEC_PER_SEC,
	       (struct report_vcpu){.util_avg = 800, .runnable = PROTO_UNKNOWN_U16});
	assert_int_equal(vcpus[1].behind_usec, 200000);
	/* At a zero it idles. */
	record(STAMP + 601 * USEC_PER_SEC, (struct report_vcpu){});
	assert_int_equal(vcpus[1].behind_usec, 0);
}

static void test_behind_counts(_unused_ void **state)
{
	static const struct report_vcpu busy = {.util_avg = 800, .freq_scale = 256, .runnable = 1};

	record(STAMP, busy);
	record(STAMP + 10000, busy);
	record(STAMP + 20000, busy);
	assert_true(
		record(STAMP + 30000, (struct report_vcpu){.util_avg = 335, .freq_scale = 256}));
}

/* Another boot, or a restored guest: what was sampled before says nothing. */
static void test_clock_backwards(_unused_ void **state)
{
	record(STAMP, (struct report_vcpu){.util_avg = 800});
	assert_false(record(STAMP - 1, (struct report_vcpu){.util_avg = 100}));
	assert_int_equal(vcpus[1].ref_usec, STAMP - 1);
	assert_int_equal(vcpus[1].ref_avg, 100);
	record(STAMP, (struct report_vcpu){.util_avg = 800});
	assert_true(record(STAMP, (struct report_vcpu){.util_avg = 100}));
	record(STAMP + 1000, (struct report_vcpu){.util_avg = 800});
	demand_forget(&guest);
	assert_false(vcpus[1].left);
	assert_false(record(STAMP + 2000, (struct report_vcpu){.util_avg = 100}));
	assert_true(record(STAMP + 3000, (struct report_vcpu){.util_avg = 1}));
	demand_forget(&guest);
	assert_false(vcpus[1].left);
	assert_int_equal(vcpus[1].behind_usec, 0);
	/* The clock's first microsecond is a time as any other. */
	record(1, (struct report_vcpu){.util_avg = 800});
	assert_true(record(2, (struct report_vcpu){.util_avg = 100}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_neighbours, setup),
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_larger_of_the_two, setup),
		cmocka_unit_test_setup(test_requests, setup),
		cmocka_unit_test_setup(test_request_is_leased, setup),
		cmocka_unit_test_setup(test_foreign_vcpus, setup),
		cmocka_unit_test_setup(test_lease_from_arrival, setup),
		cmocka_unit_test_setup(test_expiry, setup),
		cmocka_unit_test_setup(test_renewal, setup),
		cmocka_unit_test_setup(test_explicit_zero, setup),
		cmocka_unit_test_setup(test_renewal_after_lapse, setup),
		cmocka_unit_test_setup(test_forget, setup),
		cmocka_unit_test_setup(test_forget_each_field, setup),
		cmocka_unit_test_setup(test_identity, setup),
		cmocka_unit_test_setup(test_held, setup),
		cmocka_unit_test_setup(test_sleeps_or_leaves, setup),
		cmocka_unit_test_setup(test_explicit_zero_is_a_little, setup),
		cmocka_unit_test_setup(test_comes, setup),
		cmocka_unit_test_setup(test_sleeps, setup),
		cmocka_unit_test_setup(test_news, setup),
		cmocka_unit_test_setup(test_left_is_of_one_record, setup),
		cmocka_unit_test_setup(test_behind, setup),
		cmocka_unit_test_setup(test_behind_counts, setup),
		cmocka_unit_test_setup(test_clock_backwards, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
