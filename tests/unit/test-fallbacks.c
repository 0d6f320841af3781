/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever a guest lacks, its daemon starts and streams, and both sides name it: guestd below a
 * made-up root at one end of a socketpair, hostd below another at the other end. */

/* The door of a build without eBPF is real. That of one with it says what the kernel would have: no
 * test loads programs. */
#define counters_bpf_open not_built_open
#include "guestd/counters_bpf_none.c"
#undef counters_bpf_open
int counters_bpf_open(const struct counters_bpf_options *options, struct counters_bpf **ret,
		      enum counters_bpf_lack *ret_lack);

#include "tests/unit/test_host.h"

#include <time.h>

#include "common/log.h"
#include "common/rootfs.h"
#include "guestd/guest.h"
#include "guestd/status.h"

#define PATIENCE (20 * USEC_PER_SEC) /* until something that must happen has failed to */
#define POLICY	 "sys/devices/system/cpu/cpufreq/policy0/"

/* Where the eBPF source ends, and how. */
struct bpf_end {
	enum counters_bpf_stage stage;
	int error;
};

static struct bpf_end bpf_end;
static struct fixture *host;
static char *guest_dir;
static int guest_root_fd;
static char config_path[512];
static struct guest *guest;
static unsigned schedstat_version;

int counters_bpf_open(const struct counters_bpf_options *options, struct counters_bpf **ret,
		      enum counters_bpf_lack *ret_lack)
{
	if (bpf_end.stage == COUNTERS_BPF_BUILD)
		return not_built_open(options, ret, ret_lack);
	*ret_lack = counters_bpf_lack_of(bpf_end.stage, bpf_end.error);
	return bpf_end.error;
}

static int open_to_host(_unused_ void *userdata, uint32_t cid, _unused_ uint32_t port)
{
	int fds[2];

	assert_int_equal(cid, 2);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	host_take_connection(host->host, fds[1], CID, PORT);
	return fds[0];
}

/* -- the made-up guest: two CPUs, and all that guestd can use -- */

static void remove_file(const char *path)
{
	assert_int_equal(unlinkat(guest_root_fd, path, 0), 0);
}

static uint64_t now_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* CPU 1 has run all the time. */
static void write_schedstat(void)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "version %u\ntimestamp 1\ncpu0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 %llu 0 0\n",
		 schedstat_version, (unsigned long long)now_nsec());
	test_write(guest_dir, "proc/schedstat", text);
}

static void write_guest(void)
{
	static const char *const policy[][2] = {
		{"affected_cpus", "0 1\n"},	   {"cpuinfo_max_freq", "3000000\n"},
		{"scaling_min_freq", "1200000\n"}, {"scaling_max_freq", "3000000\n"},
		{"scaling_setspeed", "1800000"},   {"scaling_governor", "schedutil"},
		{"scaling_driver", "acpi-cpufreq"}};
	static const char *const pressure[] = {"proc/pressure/cpu", "proc/pressure/memory",
					       "proc/pressure/io"};

	for (size_t i = 0; i < ARRAY_SIZE(policy); i++) {
		char path[128];

		snprintf(path, sizeof(path), POLICY "%s", policy[i][0]);
		test_write(guest_dir, path, policy[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pressure); i++)
		test_write(guest_dir, pressure[i],
			   "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\n");
	test_write(guest_dir, "run/x", "");
	test_write(guest_dir, "proc/stat",
		   "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 1 1 1 1000 1 1 1 1 0 0\n"
		   "cpu1 1 1 1 1000 1 1 1 1 0 0\n");
	write_schedstat();
}

/* -- what is taken from it -- */

static void no_psi(void)
{
	remove_file("proc/pressure/cpu");
	remove_file("proc/pressure/memory");
	remove_file("proc/pressure/io");
}

/* psi=0: the files are there, and each read fails. */
static void psi_off(void)
{
	test_write(guest_dir, "proc/pressure/cpu", "");
	test_write(guest_dir, "proc/pressure/memory", "");
	test_write(guest_dir, "proc/pressure/io", "");
}

static void no_schedstat(void)
{
	remove_file("proc/schedstat");
}

static void new_schedstat(void)
{
	schedstat_version = 99;
	write_schedstat();
}

static void no_cpufreq(void)
{
	static const char *const files[] = {
		"affected_cpus",    "cpuinfo_max_freq", "scaling_min_freq", "scaling_max_freq",
		"scaling_setspeed", "scaling_governor", "scaling_driver"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[128];

		snprintf(path, sizeof(path), POLICY "%s", files[i]);
		remove_file(path);
	}
	assert_int_equal(unlinkat(guest_root_fd, POLICY, AT_REMOVEDIR), 0);
}

static void nothing_at_all(void)
{
	no_psi();
	no_schedstat();
	no_cpufreq();
}

/* -- both daemons -- */

static int setup_pair(void **state)
{
	int r = setup(state);

	if (r != 0)
		return r;
	log_set_level(getenv("VERBOSE") ? LOG_DEBUG : LOG_EMERG);
	host = *state;
	guest = NULL;
	schedstat_version = 17;
	guest_dir = test_make_dir();
	guest_root_fd = rootfs_open(guest_dir);
	snprintf(config_path, sizeof(config_path), "%s/vmfreq.conf", guest_dir);
	write_guest();
	start_host(host, false);
	return guest_root_fd < 0;
}

static int teardown_pair(void **state)
{
	guest_free(guest);
	close(guest_root_fd);
	test_remove_dir(guest_dir);
	return teardown(state);
}

static void write_settings(const char *settings)
{
	char text[256];

	snprintf(text, sizeof(text), "[guest]\ninterval = 5ms\nidle_interval = 20ms\n%s\n",
		 settings);
	test_write(guest_dir, "vmfreq.conf", text);
}

static int start_guest(const char *settings, bool may_bpf)
{
	const struct guest_options options = {.root_fd = guest_root_fd,
					      .config_path = config_path,
					      .open = open_to_host,
					      .may_bpf = may_bpf};
	struct guest_config config;

	write_settings(settings);
	assert_int_equal(config_load(config_path, &guest_config_table, &config, NULL, NULL, NULL),
			 0);
	return guest_new(&options, &config, &guest);
}

static void turn(void)
{
	if (faccessat(guest_root_fd, "proc/schedstat", F_OK, 0) == 0)
		write_schedstat();
	assert_true(sd_event_run(guest_event(guest), 1000) >= 0);
	settle(host);
}

static struct json_object *member(struct json_object *object, const char *name)
{
	struct json_object *found = NULL;

	EXPECT(json_object_object_get_ex(object, name, &found), "no %s in the status", name);
	return found;
}

/* The names of the concerns of a status or of a domain in it, a space behind each; of the host's
 * own about the ids, which this guest doesn't know, nothing. */
static void names_of(struct json_object *object, char ret[256])
{
	struct json_object *list = member(object, "concerns");

	*ret = '\0';
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *concern = json_object_array_get_idx(list, i);
		const char *name = json_object_get_string(member(concern, "name"));

		if (strcmp(name, "cpu_ids_unknown") == 0)
			continue;
		strncat(ret, name, 255 - strlen(ret));
		strncat(ret, " ", 255 - strlen(ret));
	}
}

static void guest_names(char ret[256])
{
	struct json_object *status = guest_status_json(guest);

	names_of(status, ret);
	json_object_put(status);
}

/* Whether the guest's busy CPU has come to the host as demand of that vCPU alone; what it names. */
static bool host_hears(char ret_names[256])
{
	struct json_object *status = status_json(host->host), *domain, *vcpus;
	bool hears;

	domain = json_object_array_get_idx(member(status, "domains"), 0);
	vcpus = member(domain, "vcpus");
	hears = json_object_get_int(member(json_object_array_get_idx(vcpus, 1), "util_est")) >= 900;
	names_of(domain, ret_names);
	json_object_put(status);
	return hears;
}

/* Lets both run until all is as it should be, and the host has got so many reports more. */
static void expect_both(const char *row, const char *wanted)
{
	uint64_t reports = host_domain(host->host, 0)->reports + 3;
	uint64_t end = now_nsec() + PATIENCE * 1000;
	char there[256], here[256];
	bool hears;

	do {
		EXPECT(now_nsec() < end, "%s: '%s', in the guest '%s', on the host '%s'%s", row,
		       wanted, here, there, hears ? "" : ", which hears of no demand");
		turn();
		guest_names(here);
		hears = host_hears(there);
	} while (!hears || strcmp(there, wanted) != 0 || strcmp(here, wanted) != 0 ||
		 host_domain(host->host, 0)->reports < reports);
}

static const struct fallback {
	const char *name;
	void (*take)(void);
	const char *settings;
	struct bpf_end bpf_end; /* error is 0: nobody tries */
	const char *wanted;
} fallbacks[] = {
	{"all is there", NULL, "", {}, ""},
	{"no clang at build", NULL, "", {COUNTERS_BPF_BUILD, -EOPNOTSUPP}, "ebpf_not_built "},
	{"no BTF", NULL, "", {COUNTERS_BPF_BTF, -ENOENT}, "ebpf_no_btf "},
	{"no CAP_BPF", NULL, "", {COUNTERS_BPF_CAPABILITY, -EPERM}, "ebpf_no_capability "},
	{"seccomp", NULL, "", {COUNTERS_BPF_LOAD, -EPERM}, "ebpf_forbidden "},
	{"no bpf()", NULL, "", {COUNTERS_BPF_LOAD, -ENOSYS}, "ebpf_forbidden "},
	{"an old kernel", NULL, "", {COUNTERS_BPF_LOAD, -ESRCH}, "ebpf_no_tracepoint "},
	{"little memory", NULL, "", {COUNTERS_BPF_LOAD, -ENOMEM}, "ebpf_no_memory "},
	{"the verifier", NULL, "", {COUNTERS_BPF_LOAD, -EACCES}, "ebpf_rejected "},
	{"not wanted", NULL, "signal = proc", {COUNTERS_BPF_BTF, -ENOENT}, ""},
	{"no PSI", no_psi, "", {}, "no_psi "},
	{"psi=0", psi_off, "", {}, "no_psi "},
	{"no schedstat", no_schedstat, "", {}, "no_schedstat "},
	{"a newer schedstat", new_schedstat, "", {}, "no_schedstat "},
	{"no cpufreq", no_cpufreq, "", {}, "no_cpufreq "},
	{"no cpufreq, not wanted", no_cpufreq, "cpufreq = no", {}, ""},
	{"nothing at all",
	 nothing_at_all,
	 "",
	 {COUNTERS_BPF_BUILD, -EOPNOTSUPP},
	 "no_cpufreq no_psi no_schedstat ebpf_not_built "},
};

static const struct fallback *fallback;

static int setup_fallback(void **state)
{
	fallback = *state;
	return setup_pair(state);
}

static void test_fallback(_unused_ void **state)
{
	if (fallback->take)
		fallback->take();
	bpf_end = fallback->bpf_end;
	assert_int_equal(start_guest(fallback->settings, bpf_end.error < 0), 0);
	expect_both(fallback->name, fallback->wanted);
}

/* Told to, and told otherwise, at a reload: the host hears of each. */
static void test_reload(_unused_ void **state)
{
	bpf_end = (struct bpf_end){COUNTERS_BPF_BTF, -ENOENT};
	assert_int_equal(start_guest("signal = proc", true), 0);
	expect_both("proc", "");
	write_settings("signal = auto");
	assert_int_equal(guest_reload(guest), 0);
	expect_both("auto", "ebpf_no_btf ");
	/* What is demanded and can't be had at a reload is no reason to end. */
	bpf_end = (struct bpf_end){COUNTERS_BPF_CAPABILITY, -EPERM};
	write_settings("signal = ebpf");
	assert_int_equal(guest_reload(guest), 0);
	expect_both("ebpf", "ebpf_no_capability ");
	write_settings("signal = proc");
	assert_int_equal(guest_reload(guest), 0);
	expect_both("proc again", "");
}

/* At the start it is. */
static void test_demanded(_unused_ void **state)
{
	bpf_end = (struct bpf_end){COUNTERS_BPF_CAPABILITY, -EPERM};
	assert_int_equal(start_guest("signal = ebpf", true), -EPERM);
	assert_null(guest);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(fallbacks) + 2];

	for (size_t i = 0; i < ARRAY_SIZE(fallbacks); i++)
		tests[i] = (struct CMUnitTest){.name = fallbacks[i].name,
					       .test_func = test_fallback,
					       .setup_func = setup_fallback,
					       .teardown_func = teardown_pair,
					       .initial_state = (void *)&fallbacks[i]};
	tests[ARRAY_SIZE(fallbacks)] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		test_reload, setup_pair, teardown_pair);
	tests[ARRAY_SIZE(fallbacks) + 1] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		test_demanded, setup_pair, teardown_pair);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
