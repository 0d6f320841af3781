/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/lab/dvfs/payload.c and payload_run.c together: the payload runs here, on a machine
 * (machine.h) whose vCPUs are threads, in a file that stands for the guest's memory. */
#include "tests/unit/test_dvfs_log.h"
#include "tests/unit/test_root.h"

#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "tests/lab/dvfs/machine.h"
#include "tests/lab/dvfs/payload.h"
#include "tests/lab/dvfs/payload_run.h"

#define VCPUS	   2u
#define COUNTER_HZ UINT64_C(62500000)
#define TIMETABLE                                                                                  \
	"cpus 2\nlength 60000\ntask 0 a\ntask 1 b\nplace 0 0 0\nplace 0 1 1\nplace 20000 0 1\n"    \
	"burst 1 1000 0 700 0\nburst 2 1000 1 500 0\nburst 3 30000 0 100 0\n"                      \
	"chain 4 3 500 1 300 0\n"

/* ---- the machine */

static struct {
	struct mailbox *mailbox;
	pthread_t thread[VCPUS];
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool wake[VCPUS], off;
	bool has_steal;
	uint64_t steal[VCPUS];
	unsigned sleeps;
} machine = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local uint32_t this_vcpu;

uint64_t machine_counter_hz(void)
{
	return COUNTER_HZ;
}

/* Not the host's clock: 1000 s ahead of it. */
uint64_t machine_counter(void)
{
	return (hostside_now_nsec() + UINT64_C(1000000000000)) / 16;
}

static void *secondary(void *userdata)
{
	this_vcpu = (uint32_t)(uintptr_t)userdata;
	payload_secondary(machine.mailbox, this_vcpu);
	return NULL;
}

uint64_t machine_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	switch (function) {
	case 0x84000000: /* PSCI_VERSION: 1.1 */
		return 0x10001;
	case 0x84000008: /* SYSTEM_OFF */
		machine.off = true;
		return 0;
	case 0x8400000a: /* PSCI_FEATURES, of SMCCC_VERSION */
		return a == 0x80000000 ? 0 : MACHINE_NOT_SUPPORTED;
	case 0x80000001: /* SMCCC_ARCH_FEATURES */
	case 0xc5000020: /* PV_TIME_FEATURES */
		return machine.has_steal ? 0 : MACHINE_NOT_SUPPORTED;
	case 0xc5000021: /* PV_TIME_ST */
		return 0x090a0000 + this_vcpu * UINT64_C(64);
	case 0xc4000003: /* CPU_ON */
		if (a >= VCPUS)
			return (uint64_t)-2; /* INVALID_PARAMETERS */
		assert_int_equal(b, machine_entry());
		assert_int_equal(
			pthread_create(&machine.thread[a], NULL, secondary, (void *)(uintptr_t)c),
			0);
		return 0;
	default:
		fail_msg("call %llx", (unsigned long long)function);
		return MACHINE_NOT_SUPPORTED;
	}
}

void machine_init_vcpu(uint32_t vcpu)
{
	assert_int_equal(vcpu, this_vcpu);
}

void machine_sleep_until(uint64_t counter)
{
	uint64_t nsec = counter * 16 - UINT64_C(1000000000000);
	struct timespec until = {.tv_sec = (time_t)(nsec / 1000000000),
				 .tv_nsec = (long)(nsec % 1000000000)};

	pthread_mutex_lock(&machine.lock);
	machine.sleeps++;
	while (!machine.wake[this_vcpu] &&
	       pthread_cond_timedwait(&machine.woken, &machine.lock, &until) == 0)
		;
	machine.wake[this_vcpu] = false;
	pthread_mutex_unlock(&machine.lock);
}

void machine_wake(uint32_t vcpu)
{
	pthread_mutex_lock(&machine.lock);
	machine.wake[vcpu] = true;
	pthread_cond_broadcast(&machine.woken);
	pthread_mutex_unlock(&machine.lock);
}

uint64_t machine_entry(void)
{
	return 0x40081000;
}

const volatile uint64_t *machine_map_steal(uint64_t address)
{
	assert_int_equal(address, 0x090a0000 + this_vcpu * 64);
	return &machine.steal[this_vcpu];
}

/* With steal time, as if half of the time were somebody else's. */
void machine_spin(_unused_ uint32_t rounds)
{
	uint64_t begin = hostside_now_nsec(), now;

	while ((now = hostside_now_nsec()) - begin < 20000)
		;
	if (machine.has_steal)
		machine.steal[this_vcpu] += (now - begin) / 2;
}

/* ---- around it */

static char ram_path[512], timetable_path[512], out_path[512];
static void *ram;

static struct freqpage *page_of(struct mailbox *mailbox)
{
	return (struct freqpage *)mailbox->page;
}

static void *first_vcpu(_unused_ void *userdata)
{
	this_vcpu = 0;
	payload_main(machine.mailbox);
	return NULL;
}

static int setup(void **state)
{
	pthread_condattr_t attr;
	int fd;

	if (root_setup(state) != 0)
		return -1;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&machine.woken, &attr);
	snprintf(ram_path, sizeof(ram_path), "%s/ram", dir);
	snprintf(timetable_path, sizeof(timetable_path), "%s/timetable", dir);
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	test_write(dir, "timetable", TIMETABLE);
	fd = openat(root_fd, "ram", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)MAILBOX_RAM_SIZE) < 0)
		return -1;
	ram = mmap(NULL, MAILBOX_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	machine.mailbox = (struct mailbox *)((char *)ram + MAILBOX_OFFSET);
	machine.off = machine.has_steal = false;
	machine.sleeps = 0;
	return ram == MAP_FAILED;
}

static int teardown(void **state)
{
	munmap(ram, MAILBOX_RAM_SIZE);
	return root_teardown(state);
}

static int call(const char *first, const char *second)
{
	char *argv[] = {"payload-run", "--ram", ram_path, (char *)(uintptr_t)first,
			(char *)(uintptr_t)second};

	return payload_run_main(second ? 5 : 4, argv);
}

static void power_on(void)
{
	fill_page(page_of(machine.mailbox), FED);
	for (unsigned i = 0; i < VCPUS; i++) {
		page_of(machine.mailbox)->vcpu[i].tid = 900 + i;
		page_of(machine.mailbox)->vcpu[i].cpu = i;
	}
	assert_int_equal(pthread_create(&machine.thread[0], NULL, first_vcpu, NULL), 0);
}

static void power_off(void)
{
	assert_int_equal(call("off", NULL), 0);
	for (unsigned i = 0; i < VCPUS; i++)
		assert_int_equal(pthread_join(machine.thread[i], NULL), 0);
	assert_true(machine.off);
}

static void check_bursts(void)
{
	struct log_burst b[8];

	assert_int_equal(read_log(out_path, "# payload:", b, ARRAY_SIZE(b)), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(b[i].id, i + 1);
		assert_worked(&b[i]);
	}
	assert_int_equal(b[0].released_usec, 1000);
	assert_int_equal(b[1].cpu, 1);
	assert_int_equal(b[2].cpu, 1); /* where its place is by then */
	assert_int_equal(b[3].released_usec, b[2].ended_usec + 500);
}

/* Without KVM's steal time it is the page's. */
static void test_run(_unused_ void **state)
{
	power_on();
	assert_int_equal(call(timetable_path, out_path), 0);
	check_bursts();
	assert_int_equal(machine.mailbox->n_vcpus, VCPUS);
	assert_int_equal(machine.mailbox->n_pv_time, 0);
	assert_int_equal(machine.mailbox->steal[1], MAILBOX_STEAL_PAGE);
	assert_true(machine.sleeps > 0);
	assert_int_equal(call(timetable_path, out_path), 0); /* and again */
	check_bursts();
	power_off();
}

/* With it, what it says is left out: what was run and what was stolen are no more than all of the
 * time. */
static void test_steal_time(_unused_ void **state)
{
	uint64_t ran_nsec = 0, stolen_nsec = 0, all_usec = 0;
	struct log_burst b[8];

	machine.has_steal = true;
	power_on();
	assert_int_equal(call(timetable_path, out_path), 0);
	check_bursts();
	assert_int_equal(machine.mailbox->n_pv_time, VCPUS);
	assert_int_equal(machine.mailbox->steal[0], MAILBOX_STEAL_PV_TIME);
	assert_int_equal(read_log(out_path, "# payload:", b, ARRAY_SIZE(b)), 4);
	for (unsigned i = 0; i < VCPUS; i++) {
		ran_nsec += machine.mailbox->step_nsec[i];
		stolen_nsec += machine.mailbox->stolen_nsec[i];
	}
	for (unsigned i = 0; i < 4; i++)
		all_usec += b[i].ended_usec - b[i].begun_usec + 2;
	assert_true(stolen_nsec > 0);
	assert_true(all_usec * 1000 >= ran_nsec + stolen_nsec);
	power_off();
}

/* Work that can't be counted truly isn't begun. */
static void test_refusals(_unused_ void **state)
{
	power_on();
	page_of(machine.mailbox)->vcpu[1].tid = 0; /* its preemption would be unknown */
	assert_int_equal(call(timetable_path, out_path), 1);
	page_of(machine.mailbox)->vcpu[1].tid = 901;
	test_write(dir, "timetable", "cpus 3\nlength 9\ntask 0 a\nplace 0 0 2\nburst 1 0 0 1 0\n");
	assert_int_equal(call(timetable_path, out_path), 1); /* more vCPUs than there are */
	test_write(dir, "timetable", TIMETABLE);
	page_of(machine.mailbox)->magic = 0; /* no feeder */
	assert_int_equal(call(timetable_path, out_path), 1);
	assert_int_equal(machine.mailbox->n_runs, 0);
	power_off();
}

/* An exception in the guest is said, and not waited for. */
static void test_fault(_unused_ void **state)
{
	machine.mailbox->fault_esr = 0x96000005;
	assert_int_equal(call(timetable_path, out_path), 1);
}

static void test_usage(_unused_ void **state)
{
	char *rows[][5] = {{"payload-run"},
			   {"payload-run", "--ram", "x"},
			   {"payload-run", "--ram", "x", "on"},
			   {"payload-run", "--ram", "x", "page", "y"},
			   {"payload-run", "--rom", "x", "a", "b"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int argc = 0;

		while (argc < 5 && rows[i][argc])
			argc++;
		EXPECT(payload_run_main(argc, rows[i]) == 2, "row %zu", i);
	}
	assert_int_equal(call("page", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_steal_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fault, setup, teardown),
		cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
