/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's ceilings in the whole of hostd: what shows them, what lifts them, and whose they are.
 * The demand is 500 of 1024 as a rule. */
#include "tests/unit/test_host.h"

#include "hostd/host_private.h"

/* What is written to files whose path ends so fails, with an error that may pass. Linked with
 * --wrap=rootfs_write. */
static const char *busy_file;

int __real_rootfs_write(int root_fd, const char *path, const char *text);
int __wrap_rootfs_write(int root_fd, const char *path, const char *text);

int __wrap_rootfs_write(int root_fd, const char *path, const char *text)
{
	size_t n = strlen(path), end = busy_file ? strlen(busy_file) : 0;

	if (busy_file && n >= end && strcmp(path + n - end, busy_file) == 0)
		return -EBUSY;
	return __real_rootfs_write(root_fd, path, text);
}

static struct domain *domain_of(struct fixture *f)
{
	return f->host->domains[0];
}

/* The ceiling of a demand, by level.h. */
static uint16_t ceiling_for(const struct fixture *f, uint16_t demand1024)
{
	const struct level_config config = {.headroom1024 = HEADROOM_WITHOUT,
					    .grain = LEVEL_GRAIN,
					    .slack1024 = (uint16_t)f->config.ceiling_slack1024};
	const struct level level = {.level1024 = demand1024, .rose_usec = 1};
	uint64_t next_usec;

	return level_ceiling(&level, &config, 0, 0, 1, &next_usec);
}

static void expect_files(struct fixture *f, const char *min, const char *max)
{
	wait_for_file(f, VCPU "1/cpu.uclamp.min", min);
	wait_for_file(f, VCPU "1/cpu.uclamp.max", max);
}

/* Floor and ceiling of 500. */
static void expect_both(struct fixture *f)
{
	expect_files(f, clamp_text(floor_for(500)), clamp_text(ceiling_for(f, 500)));
}

static bool shows(struct fixture *f, uint16_t floor1024, uint16_t ceiling1024)
{
	char text[64];

	snprintf(text, sizeof(text), "\"floor\":%u,\"ceiling\":%u", floor1024, ceiling1024);
	return status_has(f, text);
}

static void start_with_ceiling(struct fixture *f)
{
	f->config.floor_step = 1;
	start_with_trusted_guest(f);
	assert_false(status_has(f, "\"ceiling\""));
	send_report(f, 0, 500, 60000);
	expect_both(f);
}

static void test_shown(void **state)
{
	struct fixture *f = *state;

	start_with_ceiling(f);
	assert_true(shows(f, floor_for(500), ceiling_for(f, 500)));
	assert_false(status_has(f, "\"ceiling_effective\""));
	test_write(f->root, "proc/1002/task/1002/sched",
		   "CPU 1/KVM (1002, #threads: 9)\n---\n"
		   "effective uclamp.min                         :                  632\n"
		   "effective uclamp.max                         :                  720\n");
	assert_true(status_has(f, "\"floor_effective\":632,\"ceiling_effective\":720"));
}

/* It goes when demand rises, and with the guest. */
static void test_lifted(void **state)
{
	struct fixture *f = *state;

	start_with_ceiling(f);
	send_report(f, 0, 900, 60000);
	expect_files(f, "max", "max");
	send_report(f, 0, 500, 60000);
	expect_both(f);
	close(TAKE_FD(f->guest));
	expect_files(f, "0.00", "max");
}

/* Whatever takes everything away takes ceilings, too. */
static void test_put_back(void **state)
{
	struct fixture *f = *state;

	start_with_ceiling(f);
	assert_int_equal(lay(f, LIMIT_NONE, true), 0);
	expect_files(f, "0.00", "max");
	assert_int_equal(lay(f, LIMIT_NONE, false), 0);
	expect_both(f);
	domain_drop_floors(domain_of(f));
	expect_files(f, "0.00", "max");
	domain_run(domain_of(f));
	expect_both(f);
	host_take_inventory(f->host, make_inventory(8, 0)); /* it starts anew */
	expect_files(f, "0.00", "max");
}

/* While something can't be written, be it the CPUs, a rise couldn't be either: no ceiling waits for
 * it. */
static void test_lifted_on_failure(void **state)
{
	static const char *const files[] = {"/vcpu1/cpuset.cpus", "/vcpu1/cpu.uclamp.min"};
	struct fixture *f = *state;

	start_with_ceiling(f);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		busy_file = files[i];
		send_report(f, 0, 10, 60000);
		expect_files(f, clamp_text(floor_for(500)), "max");
		assert_int_equal(domain_of(f)->vcpus[1].error, -EBUSY);
		assert_false(status_has(f, "\"ceiling\""));
		busy_file = NULL;
		send_report(f, 0, 500, 60000);
		wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
		expect_both(f);
	}
}

static void test_put_back_at_the_end(void **state)
{
	struct fixture *f = *state;

	start_with_ceiling(f);
	host_free(TAKE_PTR(f->host));
	expect_files(f, "0.00", "max");
	assert_int_not_equal(access(f->ledger, F_OK), 0);
}

/* Verifies twice; how often the log says this. */
static unsigned verify_twice(struct fixture *f, const char *words)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *log = NULL;
	int saved = dup(STDERR_FILENO);
	unsigned said = 0;
	char line[1024];

	assert_true(asprintf(&path, "%s/log", f->root) > 0);
	log = fopen(path, "w+e");
	assert_true(log && saved >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
	domain_verify(domain_of(f));
	domain_verify(domain_of(f));
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(log);
	while (fgets(line, sizeof(line), log))
		said += strstr(line, words) != NULL;
	return said;
}

/* An operator sets another one: it is his, said once, through all that follows. */
static void test_taken(void **state)
{
	struct fixture *f = *state;
	struct vcpu *vcpu;

	start_with_ceiling(f);
	vcpu = &domain_of(f)->vcpus[1];
	assert_int_equal(verify_twice(f, "vCPU 1"), 0);
	assert_false(vcpu->ceiling_is_theirs);
	test_write(f->root, VCPU "1/cpu.uclamp.max", "81.25\n");
	assert_int_equal(verify_twice(f, "somebody else has set the ceiling of vCPU 1"), 1);
	assert_true(vcpu->ceiling_is_theirs);
	assert_false(vcpu->floor_is_theirs);
	assert_true(status_has(f, "\"its ceiling was set by somebody else\""));
	assert_false(status_has(f, "\"ceiling\""));
	/* Floors go on below it. */
	send_report(f, 0, 900, 60000);
	expect_files(f, "81.25", "81.25");
	send_report(f, 0, 300, 60000);
	expect_files(f, clamp_text(floor_for(300)), "81.25");
	domain_verify(domain_of(f));
	host_free(TAKE_PTR(f->host));
	expect_files(f, "0.00", "81.25");
}

/* The floor is theirs: a ceiling of ours doesn't touch it, and goes back by itself. */
static void test_floor_taken(void **state)
{
	struct fixture *f = *state;

	start_with_ceiling(f);
	test_write(f->root, VCPU "1/cpu.uclamp.min", "25.00\n");
	domain_verify(domain_of(f));
	assert_true(domain_of(f)->vcpus[1].floor_is_theirs);
	assert_true(status_has(f, "\"its floor was set by somebody else\""));
	assert_true(shows(f, 0, ceiling_for(f, 500)));
	send_report(f, 0, 900, 60000);
	expect_files(f, "25.00", "max");
	send_report(f, 0, 500, 60000);
	expect_files(f, "25.00", clamp_text(ceiling_for(f, 500)));
	host_free(TAKE_PTR(f->host));
	expect_files(f, "25.00", "max");
}

static void test_dry_run(void **state)
{
	struct fixture *f = *state;

	f->config.floor_step = 1;
	f->is_dry = true;
	start_with_trusted_guest(f);
	send_report(f, 0, 500, 60000);
	for (unsigned i = 0; i < 1000 && !shows(f, floor_for(500), ceiling_for(f, 500)); i++)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	assert_true(shows(f, floor_for(500), ceiling_for(f, 500)));
	domain_verify(domain_of(f));
	assert_false(domain_of(f)->vcpus[1].ceiling_is_theirs);
	expect_files(f, "0.00", "max");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_shown),
		HOST_TEST(test_lifted),
		HOST_TEST(test_put_back),
		HOST_TEST(test_lifted_on_failure),
		HOST_TEST(test_put_back_at_the_end),
		HOST_TEST(test_taken),
		HOST_TEST(test_floor_taken),
		HOST_TEST(test_dry_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
