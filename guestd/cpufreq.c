/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: the guest's cpufreq policies in sysfs, taken over and given back. */
#include "guestd/cpufreq.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fault.h"
#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"

#define FOLDER	   "sys/devices/system/cpu/cpufreq"
#define STATE_DIR  "run/vmfreq-guestd"
#define STATE_TEMP CPUFREQ_STATE ".new"
#define OUR_NAME   "userspace"

struct cpufreq {
	int root_fd;
	unsigned n;
	struct cpufreq_policy *policy;
};

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static void policy_path(char *ret, size_t size, unsigned id, const char *file)
{
	snprintf(ret, size, FOLDER "/policy%u/%s", id, file);
}

static int read_text(int root_fd, unsigned id, const char *file, char *buffer, size_t size)
{
	char path[128];

	policy_path(path, sizeof(path), id, file);
	return rootfs_read_line(root_fd, path, buffer, size);
}

static int write_text(int root_fd, unsigned id, const char *file, const char *text)
{
	char path[128];

	policy_path(path, sizeof(path), id, file);
	return rootfs_write(root_fd, path, text);
}

static int read_khz(int root_fd, unsigned id, const char *file, uint32_t *ret)
{
	char text[32];
	uint64_t khz;
	int r = read_text(root_fd, id, file, text, sizeof(text));

	if (r < 0)
		return r;
	r = parse_u64_max(text, UINT32_MAX, &khz);
	if (r < 0)
		return r;
	*ret = (uint32_t)khz;
	return 0;
}

static int write_khz(int root_fd, unsigned id, uint32_t khz)
{
	char text[16];

	snprintf(text, sizeof(text), "%" PRIu32, khz);
	return write_text(root_fd, id, "scaling_setspeed", text);
}

/* 1 or 0, or -errno if nobody knows. */
static int governor_is_ours(int root_fd, unsigned id)
{
	char name[64];
	int r = read_text(root_fd, id, "scaling_governor", name, sizeof(name));

	return r < 0 ? r : strcmp(name, OUR_NAME) == 0;
}

static void read_cpus(int root_fd, unsigned id, struct cpumask *ret)
{
	char text[CPUMASK_TEXT_MAX + 1024];
	const char *cursor = text;
	uint64_t cpu;

	cpumask_clear(ret);
	if (read_text(root_fd, id, "affected_cpus", text, sizeof(text)) < 0)
		return;
	while (parse_column_u64(&cursor, &cpu) == 0)
		cpumask_set(ret, (unsigned)MIN(cpu, CPUMASK_CPUS));
}

static int compare_khz(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void read_steps(int root_fd, unsigned id, struct governor_policy *ret)
{
	char text[1024];
	const char *cursor = text;
	uint64_t khz;

	ret->n_steps = 0;
	if (read_text(root_fd, id, "scaling_available_frequencies", text, sizeof(text)) < 0)
		return;
	while (ret->n_steps < GOVERNOR_STEPS_MAX && parse_column_u64(&cursor, &khz) == 0)
		if (khz > 0 && khz <= UINT32_MAX)
			ret->step_khz[ret->n_steps++] = (uint32_t)khz;
	qsort(ret->step_khz, ret->n_steps, sizeof(ret->step_khz[0]), compare_khz);
}

static int read_limits(int root_fd, unsigned id, struct governor_policy *ret)
{
	uint32_t min, max;
	int r = read_khz(root_fd, id, "scaling_min_freq", &min);

	if (r >= 0)
		r = read_khz(root_fd, id, "scaling_max_freq", &max);
	if (r < 0)
		return r;
	ret->min_khz = min;
	ret->max_khz = max;
	return 0;
}

/* What the virt-cpufreq driver is told to set it passes on to the VMM as the guest's wish. Told
 * what the host delivers, it would wish for just that, and for less and less. */
static bool is_virt(int root_fd, unsigned id)
{
	char name[64];

	return read_text(root_fd, id, "scaling_driver", name, sizeof(name)) >= 0 &&
	       strcmp(name, "virt-cpufreq") == 0;
}

static int read_policy(int root_fd, unsigned id, struct governor_policy *ret)
{
	int r = read_khz(root_fd, id, "cpuinfo_max_freq", &ret->top_khz);

	if (r >= 0)
		r = read_limits(root_fd, id, ret);
	if (r < 0)
		return r;
	read_cpus(root_fd, id, &ret->cpus);
	read_steps(root_fd, id, ret);
	return 0;
}

static struct cpufreq_policy *find(struct cpufreq *cpufreq, unsigned id)
{
	for (unsigned i = 0; i < cpufreq->n; i++)
		if (cpufreq->policy[i].id == id)
			return &cpufreq->policy[i];
	return NULL;
}

static int add(struct cpufreq *cpufreq, unsigned id, struct cpufreq_policy **ret)
{
	struct cpufreq_policy *grown =
		realloc(cpufreq->policy, (cpufreq->n + 1) * sizeof(cpufreq->policy[0]));

	if (!grown)
		return -ENOMEM;
	cpufreq->policy = grown;
	*ret = &grown[cpufreq->n++];
	**ret = (struct cpufreq_policy){.id = id};
	return 0;
}

static int scan_policy(struct cpufreq *cpufreq, unsigned id)
{
	struct cpufreq_policy *policy;
	struct governor_policy can = {};

	policy = find(cpufreq, id);
	/* A policy all of whose CPUs are offline has a folder that can't be read. */
	if (read_policy(cpufreq->root_fd, id, &can) < 0) {
		if (policy)
			policy->offline = true;
		return 0;
	}
	if (policy && policy->hold == CPUFREQ_HOLD_OURS &&
	    governor_is_ours(cpufreq->root_fd, id) == 0)
		policy->hold = policy->offline ? CPUFREQ_HOLD_FREE : CPUFREQ_HOLD_THEIRS;
	if (!policy) {
		int r = add(cpufreq, id, &policy);

		if (r < 0)
			return r;
		if (is_virt(cpufreq->root_fd, id))
			policy->hold = CPUFREQ_HOLD_VIRT;
	}
	/* A governor that starts anew takes the speed that it finds, not the one that was set. */
	if (policy->offline)
		policy->state = (struct governor_state){};
	policy->can = can;
	policy->seen = true;
	policy->offline = false;
	return 0;
}

static void forget_unseen(struct cpufreq *cpufreq)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < cpufreq->n; i++) {
		const struct cpufreq_policy *policy = &cpufreq->policy[i];

		if (policy->seen || (policy->offline && policy->hold == CPUFREQ_HOLD_OURS))
			cpufreq->policy[kept++] = *policy;
	}
	cpufreq->n = kept;
}

static bool parse_name(const char *name, unsigned *ret_id)
{
	uint64_t id;

	if (strncmp(name, "policy", 6) != 0 ||
	    parse_u64_max(name + 6, CPUFREQ_POLICIES_MAX - 1, &id) < 0)
		return false;
	*ret_id = (unsigned)id;
	return true;
}

int cpufreq_scan(struct cpufreq *cpufreq)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	for (unsigned i = 0; i < cpufreq->n; i++)
		cpufreq->policy[i].seen = false;
	fd = openat(cpufreq->root_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (entry = readdir(dir))) {
		unsigned id;
		int r;

		if (!parse_name(entry->d_name, &id))
			continue;
		r = scan_policy(cpufreq, id);
		if (r < 0)
			return r;
	}
	forget_unseen(cpufreq);
	return 0;
}

DEFINE_CLEANUP(struct cpufreq *, cpufreq_close)

int cpufreq_open(int root_fd, struct cpufreq **ret)
{
	_cleanup_(cpufreq_closep) struct cpufreq *cpufreq = calloc(1, sizeof(*cpufreq));
	int r;

	if (!cpufreq)
		return -ENOMEM;
	cpufreq->root_fd = root_fd;
	r = cpufreq_scan(cpufreq);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(cpufreq);
	return 0;
}

void cpufreq_close(struct cpufreq *cpufreq)
{
	if (!cpufreq)
		return;
	free(cpufreq->policy);
	free(cpufreq);
}

unsigned cpufreq_count(const struct cpufreq *cpufreq)
{
	return cpufreq->n;
}

unsigned cpufreq_count_held(const struct cpufreq *cpufreq, enum cpufreq_hold hold)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cpufreq->n; i++)
		n += cpufreq->policy[i].hold == hold;
	return n;
}

struct cpufreq_policy *cpufreq_policy(struct cpufreq *cpufreq, unsigned i)
{
	return &cpufreq->policy[i];
}

/* Writes down what each policy that is OURS had before, or that there is none. By rename, so that a
 * crash leaves the old list or the new one. */
static int write_state(const struct cpufreq *cpufreq)
{
	_cleanup_fclose_ FILE *file = NULL;
	FILE *closing;
	int fd;

	if (cpufreq_count_held(cpufreq, CPUFREQ_HOLD_OURS) == 0)
		return unlinkat(cpufreq->root_fd, CPUFREQ_STATE, 0) < 0 && errno != ENOENT ? -errno
											   : 0;
	/* systemd has made it (RuntimeDirectory=); by hand it may be missing. */
	if (mkdirat(cpufreq->root_fd, STATE_DIR, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(cpufreq->root_fd, STATE_TEMP, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return -errno;
	for (unsigned i = 0; i < cpufreq->n; i++) {
		const struct cpufreq_policy *policy = &cpufreq->policy[i];

		if (policy->hold == CPUFREQ_HOLD_OURS)
			fprintf(file, "policy%u %s %" PRIu32 "\n", policy->id,
				policy->prior_governor, policy->prior_khz);
	}
	closing = TAKE_PTR(file);
	if (fclose(closing) != 0)
		return -errno;
	return renameat(cpufreq->root_fd, STATE_TEMP, cpufreq->root_fd, CPUFREQ_STATE) < 0 ? -errno
											   : 0;
}

/* What a failure makes of a policy that isn't ours yet. */
static int refuse(struct cpufreq_policy *policy, int error)
{
	policy->hold = fault_of(error) == FAULT_NEVER ? CPUFREQ_HOLD_NEVER : CPUFREQ_HOLD_FREE;
	return error;
}

/* Remembers what stands in a policy; it is then OURS on paper, before anything is changed. */
static int remember(struct cpufreq *cpufreq, struct cpufreq_policy *policy)
{
	char governor[64];
	uint32_t khz = 0;
	int r = read_text(cpufreq->root_fd, policy->id, "scaling_governor", governor,
			  sizeof(governor));

	if (r >= 0 && strlen(governor) > CPUFREQ_NAME_MAX)
		r = -EINVAL;
	if (r >= 0 && strcmp(governor, OUR_NAME) == 0)
		r = read_khz(cpufreq->root_fd, policy->id, "scaling_setspeed", &khz);
	if (r < 0)
		return refuse(policy, r);
	strcpy(policy->prior_governor, governor);
	policy->prior_khz = khz;
	policy->hold = CPUFREQ_HOLD_OURS;
	policy->state = (struct governor_state){};
	return 0;
}

static int take(struct cpufreq *cpufreq, struct cpufreq_policy *policy)
{
	int r = 0;

	/* The kernel loads the governor's module by itself, so scaling_available_governors need
	 * not name it: the write alone can tell. */
	if (strcmp(policy->prior_governor, OUR_NAME) != 0)
		r = write_text(cpufreq->root_fd, policy->id, "scaling_governor", OUR_NAME);
	if (r >= 0) {
		r = governor_is_ours(cpufreq->root_fd, policy->id);
		if (r < 0)
			return 0; /* it was written, so it is ours to give back */
		if (r == 0)
			r = -EINVAL;
	}
	return r < 0 ? refuse(policy, r) : 0;
}

int cpufreq_take(struct cpufreq *cpufreq, int *ret_error)
{
	_cleanup_free_ bool *fresh = calloc(MAX(cpufreq->n, 1U), sizeof(*fresh));
	int r, error = 0;

	if (!fresh)
		return -ENOMEM;
	for (unsigned i = 0; i < cpufreq->n; i++) {
		if (cpufreq->policy[i].hold != CPUFREQ_HOLD_FREE)
			continue;
		r = remember(cpufreq, &cpufreq->policy[i]);
		fresh[i] = r >= 0;
		error = r < 0 ? r : error;
	}
	r = write_state(cpufreq);
	for (unsigned i = 0; i < cpufreq->n; i++) {
		int taken;

		if (!fresh[i])
			continue;
		if (r < 0) {
			cpufreq->policy[i].hold = CPUFREQ_HOLD_FREE;
			continue;
		}
		taken = take(cpufreq, &cpufreq->policy[i]);
		if (taken < 0)
			error = taken;
	}
	if (r < 0)
		return r;
	*ret_error = error;
	return error < 0 ? write_state(cpufreq) : 0;
}

/* Somebody else has set another governor. */
static int lose(struct cpufreq *cpufreq, struct cpufreq_policy *policy)
{
	policy->hold = CPUFREQ_HOLD_THEIRS;
	write_state(cpufreq);
	return -ECANCELED;
}

int cpufreq_refresh(struct cpufreq *cpufreq, unsigned i)
{
	struct cpufreq_policy *policy = &cpufreq->policy[i];

	read_limits(cpufreq->root_fd, policy->id, &policy->can);
	if (policy->hold == CPUFREQ_HOLD_OURS &&
	    governor_is_ours(cpufreq->root_fd, policy->id) == 0)
		return lose(cpufreq, policy);
	return 0;
}

void cpufreq_look(struct cpufreq *cpufreq, unsigned i)
{
	struct cpufreq_policy *policy = &cpufreq->policy[i];

	if (read_khz(cpufreq->root_fd, policy->id, "scaling_cur_freq", &policy->cur_khz) < 0)
		policy->cur_khz = 0;
}

/* Puts one policy back as it was, if it is still as we left it: 1, or 0 if it isn't or has gone. */
static int give_back(int root_fd, unsigned id, const char *governor, uint32_t khz)
{
	int r = governor_is_ours(root_fd, id);

	if (r == 0)
		return 0;
	if (r > 0 && strcmp(governor, OUR_NAME) != 0)
		r = write_text(root_fd, id, "scaling_governor", governor);
	else if (r > 0 && khz > 0)
		r = write_khz(root_fd, id, khz);
	if (fault_of(r) == FAULT_GONE)
		return 0;
	return r < 0 ? r : 1;
}

int cpufreq_set(struct cpufreq *cpufreq, unsigned i, uint32_t khz)
{
	struct cpufreq_policy *policy = &cpufreq->policy[i];
	int r = governor_is_ours(cpufreq->root_fd, policy->id);

	if (r == 0)
		return lose(cpufreq, policy);
	if (r > 0)
		r = write_khz(cpufreq->root_fd, policy->id, khz);
	switch (fault_of(r)) {
	case FAULT_GONE:
		policy->seen = false;
		break;
	case FAULT_NEVER:
		if (give_back(cpufreq->root_fd, policy->id, policy->prior_governor,
			      policy->prior_khz) >= 0) {
			policy->hold = CPUFREQ_HOLD_NEVER;
			write_state(cpufreq);
		}
		break;
	default:
		break;
	}
	return r < 0 ? r : 0;
}

int cpufreq_restore(struct cpufreq *cpufreq)
{
	int r, error = 0;

	for (unsigned i = 0; i < cpufreq->n; i++) {
		struct cpufreq_policy *policy = &cpufreq->policy[i];

		if (policy->hold != CPUFREQ_HOLD_OURS)
			continue;
		r = give_back(cpufreq->root_fd, policy->id, policy->prior_governor,
			      policy->prior_khz);
		if (r < 0)
			error = r;
		else
			policy->hold = CPUFREQ_HOLD_FREE;
	}
	r = write_state(cpufreq);
	return error < 0 ? error : r;
}

/* One line of the state: "policy0 schedutil 0". */
static int parse_state_line(char *line, unsigned *ret_id, const char **ret_governor,
			    uint32_t *ret_khz)
{
	char *save = NULL;
	const char *name = strtok_r(line, " \n", &save);
	const char *governor = strtok_r(NULL, " \n", &save);
	const char *number = strtok_r(NULL, " \n", &save);
	uint64_t khz;

	if (!name || !governor || !number || strtok_r(NULL, " \n", &save) ||
	    !parse_name(name, ret_id) || parse_u64_max(number, UINT32_MAX, &khz) < 0)
		return -EBADMSG;
	*ret_governor = governor;
	*ret_khz = (uint32_t)khz;
	return 0;
}

int cpufreq_recover(int root_fd, unsigned *ret_left)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	unsigned left = 0;
	int restored = 0, error = 0;
	size_t size = 0;
	int fd = openat(root_fd, CPUFREQ_STATE, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return -errno;
	file = fd < 0 ? NULL : fdopen(fd, "r");
	while (file && getline(&line, &size, file) >= 0) {
		const char *governor;
		uint32_t khz;
		unsigned id;
		int r = 0;

		/* A line that isn't ours can't be acted on, now or later. */
		if (parse_state_line(line, &id, &governor, &khz) == 0)
			r = give_back(root_fd, id, governor, khz);
		if (r < 0)
			error = r;
		else if (r == 0)
			left++;
		else
			restored++;
	}
	if (error < 0)
		return error;
	if (file && unlinkat(root_fd, CPUFREQ_STATE, 0) < 0)
		return -errno;
	*ret_left = left;
	return restored;
}
