/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the whole of hostd share: a made-up host with four CPUs and a domain with two
 * vCPUs below a root of its own, and the guest's end of a connection. */
#pragma once

#include "tests/unit/test.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include "hostd/headroom.h"
#include "hostd/host.h"
#include "hostd/level.h"
#include "hostd/status.h"
#include "proto/message.h"

#define SLICE "sys/fs/cgroup/machine.slice"
#define SCOPE SLICE "/machine-qemu\\x2d7\\x2dg.scope"
#define VCPU  SCOPE "/libvirt/vcpu"

#define CID  42U
#define PORT 700U

struct fixture {
	char *root, *limits, *ledger;
	char config_path[512]; /* a test may change it while the host runs */
	sd_event *event;
	struct host_config config;
	struct host *host;
	int guest; /* the guest's end */
	bool is_dry; /* of start_with_trusted_guest() */
	uint32_t sequence;
};

/* Whether the made-up host counts work: start_with_trusted_guest(). */
static bool counts_work;

/* -- the made-up host
 * -----------------------------------------------------------------------------*/

static inline void write_thread_in(const char *root, unsigned tid, const char *cgroup, char state)
{
	char path[256], text[1024];

	snprintf(text, sizeof(text),
		 "%u (CPU 0/KVM) %c 1 1 1 0 -1 0 0 0 0 0 5 5 0 0 20 0 9 0 %u 0 0 0 0 0 0 0 0 0 0 0 "
		 "0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		 tid, state, 1000 + tid);
	snprintf(path, sizeof(path), "proc/%u/task/%u/stat", tid, tid);
	test_write(root, path, text);
	snprintf(path, sizeof(path), "proc/%u/task/%u/cgroup", tid, tid);
	snprintf(text, sizeof(text), "0::/%s\n", cgroup + strlen("sys/fs/cgroup/"));
	test_write(root, path, text);
	snprintf(path, sizeof(path), "proc/%u/task/%u/status", tid, tid);
	test_write(root, path, "Name:\tCPU 0/KVM\nCpus_allowed_list:\t0-3\n");
}

static inline void write_thread(const char *root, unsigned tid, const char *cgroup)
{
	write_thread_in(root, tid, cgroup, 'R');
}

static inline void write_cgroup(const char *root, const char *cgroup, unsigned tid)
{
	char path[512], text[32];

	snprintf(path, sizeof(path), "%s/cpu.uclamp.min", cgroup);
	test_write(root, path, "0.00\n");
	snprintf(path, sizeof(path), "%s/cpu.uclamp.max", cgroup);
	test_write(root, path, "max\n");
	snprintf(path, sizeof(path), "%s/cpuset.cpus", cgroup);
	test_write(root, path, "0-3\n");
	snprintf(path, sizeof(path), "%s/cpuset.cpus.effective", cgroup);
	test_write(root, path, "0-3\n");
	snprintf(path, sizeof(path), "%s/cgroup.threads", cgroup);
	snprintf(text, sizeof(text), "%u\n", tid);
	test_write(root, path, tid ? text : "");
}

static inline void write_cpus(const char *root)
{
	test_write(root, "sys/devices/system/cpu/online", "0-3\n");
	test_write(root, "sys/devices/system/cpu/possible", "0-3\n");
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		static const struct {
			const char *file, *text;
		} files[] = {{"cpuinfo_min_freq", "600000\n"},
			     {"cpuinfo_max_freq", "3000000\n"},
			     {"scaling_cur_freq", "1800000\n"},
			     {"scaling_driver", "acpi-cpufreq\n"},
			     {"scaling_governor", "schedutil\n"}};
		char path[256], text[8];

		for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
			snprintf(path, sizeof(path), "sys/devices/system/cpu/cpufreq/policy%u/%s",
				 cpu, files[i].file);
			test_write(root, path, files[i].text);
		}
		snprintf(path, sizeof(path), "sys/devices/system/cpu/cpufreq/policy%u/related_cpus",
			 cpu);
		snprintf(text, sizeof(text), "%u\n", cpu);
		test_write(root, path, text);
		snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/online", cpu);
		test_write(root, path, "1\n");
	}
}

static inline void write_host(const char *root)
{
	write_cpus(root);
	test_write(root, "proc/sys/kernel/osrelease", "7.3.1-test\n");
	test_write(root, "proc/sys/kernel/random/boot_id",
		   "11111111-2222-3333-4444-555555555555\n");
	test_write(root, "proc/sys/kernel/sched_util_clamp_min", "1024\n");
	test_write(root, "sys/fs/cgroup/cgroup.controllers", "cpuset cpu\n");
	test_write(root, "sys/fs/cgroup/cpuset.cpus.effective", "0-3\n");
	write_cgroup(root, SLICE, 0);
	write_cgroup(root, SCOPE, 0);
	write_cgroup(root, SCOPE "/libvirt", 0);
	write_cgroup(root, VCPU "0", 1001);
	write_cgroup(root, VCPU "1", 1002);
	write_thread(root, 1001, VCPU "0");
	write_thread(root, 1002, VCPU "1");
}

static inline struct inventory *make_inventory(int id, unsigned pin_generation)
{
	struct inventory *inventory = calloc(1, sizeof(*inventory));
	struct inventory_domain *domain = calloc(1, sizeof(*domain));

	assert_true(inventory && domain);
	domain->id = id;
	domain->cid = CID;
	domain->uuid[0] = 7;
	strcpy(domain->name, "g");
	domain->machine.kind = MACHINE_X86;
	domain->n_vcpus = 2;
	domain->vcpus = calloc(2, sizeof(*domain->vcpus));
	assert_non_null(domain->vcpus);
	domain->vcpus[1].pin_generation = pin_generation;
	if (pin_generation > 0)
		cpumask_set(&domain->vcpus[1].allowed, 3);
	inventory->n_domains = 1;
	inventory->domains = domain;
	return inventory;
}

/* -- the host under test
 * --------------------------------------------------------------------------*/

/* It knows of no domain yet. */
static inline void new_host(struct fixture *f, bool dry_run)
{
	struct host_options options = {.root = f->root,
				       .ledger_path = f->ledger,
				       .limits_path = f->limits,
				       .config_path = f->config_path,
				       .dry_run = dry_run};

	assert_true(host_new(f->event, &options, &f->config, &f->host) >= 0);
}

static inline void start_host(struct fixture *f, bool dry_run)
{
	new_host(f, dry_run);
	host_take_inventory(f->host, make_inventory(7, 0));
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->guest = -EBADF;
	counts_work = false;
	f->root = test_make_dir();
	assert_true(asprintf(&f->ledger, "%s/ledger", f->root) > 0);
	assert_true(asprintf(&f->limits, "%s/limits", f->root) > 0);
	snprintf(f->config_path, sizeof(f->config_path), "%s/vmfreq.conf", f->root);
	assert_true(sd_event_new(&f->event) >= 0);
	write_host(f->root);
	config_defaults(host_config_keys, host_config_n_keys, &f->config);
	f->config.actuator = ACTUATOR_CGROUP;
	f->config.placement = PLACE_CGROUP;
	strcpy(f->config.core_classes, "0-1 < 2-3");
	f->config.placement_dwell_usec = 0;
	f->config.floor_hold_usec = 0;
	f->config.floor_half_life_usec = 1000;
	f->config.write_interval_usec = 0;
	f->config.lower_interval_usec = 0;
	f->config.lease_max_usec = 60 * USEC_PER_SEC; /* however slow the machine is */
	f->config.claim_check_usec = 0; /* the threads here run by a test's word alone */
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->host)
		host_free(f->host);
	sd_event_unref(f->event);
	if (f->guest >= 0)
		close(f->guest);
	test_remove_dir(f->root);
	free(f->ledger);
	free(f->limits);
	free(f);
	return 0;
}

#define HOST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Lets the event loop do all that is to do now; of what comes again and again, some. */
static inline void settle(struct fixture *f)
{
	for (unsigned i = 0; i < 30 && sd_event_run(f->event, 5000) > 0; i++)
		;
}

/* Lets it run until the file holds the text: a generous guard, not a measure. */
static inline void wait_for_file(struct fixture *f, const char *path, const char *text)
{
	_cleanup_free_ char *full = NULL;
	char buffer[64] = "";

	assert_true(asprintf(&full, "%s/%s", f->root, path) > 0);
	for (unsigned i = 0; i < 1000; i++) {
		_cleanup_close_ int fd = open(full, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, buffer, sizeof(buffer) - 1);

		buffer[MAX(n, 0)] = '\0';
		buffer[strcspn(buffer, "\n")] = '\0';
		if (strcmp(buffer, text) == 0)
			return;
		assert_true(sd_event_run(f->event, 10000) >= 0);
	}
	fail_msg("%s is '%s' and not '%s'", path, buffer, text);
}

/* A clamp as the kernel's files have it. */
static inline const char *clamp_text(unsigned value1024)
{
	static char text[4][16];
	static unsigned turn;
	char *to = text[turn++ % 4];
	unsigned hundredths = (value1024 * 10000 + 512) / 1024;

	if (value1024 >= 1024)
		return "max";
	snprintf(to, sizeof(text[0]), "%u.%02u", hundredths / 100, hundredths % 100);
	return to;
}

/* The floor of a demand by itself, on a host whose kernel adds nothing to it. */
static inline uint16_t floor_for(uint16_t demand1024)
{
	const struct level_config config = {.headroom1024 = HEADROOM_WITHOUT,
					    .grain = counts_work ? LEVEL_GRAIN
								 : LEVEL_GRAIN_RELATIVE};

	return level_floor(&config, demand1024, 0, 1024);
}

static inline void call_from(struct fixture *f, uint32_t cid, uint32_t port)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	if (f->guest >= 0)
		close(f->guest);
	f->guest = pair[0];
	f->sequence = 0;
	host_take_connection(f->host, pair[1], cid, port);
}

/* Of another signal than that of /proc. */
static inline void write_hello_by(struct fixture *f, uint8_t signal, const struct hello_cpu *cpus,
				  uint16_t n_cpus)
{
	uint8_t frame[FRAME_MAX];
	static struct message_hello hello = {.major = PROTO_MAJOR,
					     .minor = PROTO_MINOR,
					     .signal = SIGNAL_PROC,
					     .fields = 1 << HELLO_CPUS | 1 << HELLO_SIGNAL |
						       1 << HELLO_INVARIANT | 1 << HELLO_BOOT_ID |
						       1 << HELLO_AGENT | 1 << HELLO_CPUFREQ,
					     .agent = "test 1"};
	int n;

	hello.signal = signal;
	hello.n_cpus = n_cpus;
	memcpy(hello.cpu, cpus, n_cpus * sizeof(*cpus));
	n = hello_put(frame, sizeof(frame), &hello);
	assert_true(n > 0);
	assert_int_equal(write(f->guest, frame, (size_t)n), n);
}

static inline void write_hello_of(struct fixture *f, const struct hello_cpu *cpus, uint16_t n_cpus)
{
	write_hello_by(f, SIGNAL_PROC, cpus, n_cpus);
}

static inline void write_hello(struct fixture *f)
{
	write_hello_of(f, (const struct hello_cpu[]){{0, 0}, {1, 1}}, 2);
}

static inline void send_hello(struct fixture *f)
{
	write_hello(f);
	settle(f);
}

static inline void send_report(struct fixture *f, uint16_t util0, uint16_t util1,
			       uint16_t lease_msec)
{
	const struct report_vcpu vcpus[] = {{.cpu = 0,
					     .util_avg = util0,
					     .util_est = util0,
					     .freq_scale = 1024,
					     .uclamp_max = 1024},
					    {.cpu = 1,
					     .util_avg = util1,
					     .util_est = util1,
					     .freq_scale = 1024,
					     .uclamp_max = 1024}};
	const struct message_report report = {
		.sequence = ++f->sequence, .lease_msec = lease_msec, .n_vcpus = 2};
	uint8_t frame[512];
	int n = report_put(frame, sizeof(frame), &report, vcpus);

	assert_true(n > 0);
	assert_int_equal(write(f->guest, frame, (size_t)n), n);
	settle(f);
}

/* A guest whose signal may carry a ceiling, on a host that counts work and runs at its highest
 * frequency: what is demanded is what is reported. */
static inline void start_with_trusted_guest(struct fixture *f)
{
	char path[128];

	counts_work = true;
	test_write(f->root, "proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\n");
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		snprintf(path, sizeof(path),
			 "sys/devices/system/cpu/cpufreq/policy%u/scaling_cur_freq", cpu);
		test_write(f->root, path, "3000000\n");
	}
	start_host(f, f->is_dry);
	call_from(f, CID, PORT);
	write_hello_by(f, SIGNAL_EBPF, (const struct hello_cpu[]){{0, 0}, {1, 1}}, 2);
	settle(f);
}

static inline void start_with_guest(struct fixture *f)
{
	start_host(f, false);
	call_from(f, CID, PORT);
	send_hello(f);
}

/* Whether the status document has that in it. */
static inline bool status_has(struct fixture *f, const char *text)
{
	struct json_object *status = status_json(f->host);
	bool has = strstr(json_object_to_json_string_ext(status, JSON_C_TO_STRING_PLAIN), text);

	json_object_put(status);
	return has;
}

/* What vmfreqctl lays on the domain. */
static inline int lay(struct fixture *f, uint8_t percent, bool released)
{
	const struct domain_limit limit = {percent, released};

	return host_limit_domain(f->host, host_domain(f->host, 0)->info.uuid, &limit);
}

/* -- a hostd that dies
 * ----------------------------------------------------------------------------*/

/* In a process of its own, when a floor of vCPU 1 stands as that text in that file: nothing is put
 * back. */
static inline void die_with_floor(struct fixture *f, const char *path, const char *text)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		sd_event *event = NULL; /* an event loop is of the process that made it */

		if (sd_event_new(&event) < 0)
			_exit(3);
		f->event = event;
		start_with_guest(f);
		send_report(f, 0, 900, 60000);
		wait_for_file(f, path, text);
		_exit(access(f->ledger, F_OK) == 0 ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	wait_for_file(f, path, text);
}

/* What --restore does. */
static inline struct ledger_tally restore(struct fixture *f)
{
	_cleanup_close_ int root_fd = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ledger_tally tally = {};

	assert_int_equal(actuator_restore(root_fd, f->ledger, &tally), 0);
	return tally;
}
