/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's CPUs: which there are, how big, in which cpufreq policy, and what the kernel can do.
 * A door. */
#include "hostd/topology.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"

#define SYS_CPU "sys/devices/system/cpu"

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* -- small files of a CPU --------------------------------------------------------------------- */

static int read_cpus(int root_fd, const char *path, struct cpumask *ret)
{
	char text[CPUMASK_TEXT_MAX];
	int r = rootfs_read_line(root_fd, path, text, sizeof(text));

	return r < 0 ? r : cpumask_parse(text, ret);
}

/* A number of a CPU; `fallback` where the file is missing or holds something else, as
 * physical_package_id does with -1 where there is none. */
static uint16_t cpu_number(int root_fd, unsigned cpu, const char *file, uint16_t fallback)
{
	char path[96];
	uint64_t value;

	snprintf(path, sizeof(path), SYS_CPU "/cpu%u/%s", cpu, file);
	return rootfs_read_u64(root_fd, path, &value) < 0 || value >= UINT16_MAX ? fallback
										 : (uint16_t)value;
}

static uint16_t first_sibling(int root_fd, unsigned cpu)
{
	struct cpumask siblings;
	char path[96];
	unsigned first;

	snprintf(path, sizeof(path), SYS_CPU "/cpu%u/topology/thread_siblings_list", cpu);
	if (read_cpus(root_fd, path, &siblings) < 0)
		return (uint16_t)cpu;
	first = cpumask_next(&siblings, 0);
	return (uint16_t)(first < CPUMASK_CPUS ? first : cpu);
}

/* An offline CPU has no capacity and no siblings to tell. */
static void read_cpu(int root_fd, unsigned cpu, struct topology_cpu *ret)
{
	uint16_t capacity = cpu_number(root_fd, cpu, "cpu_capacity", CAPACITY_SCALE);

	ret->capacity1024 = (uint16_t)CLAMP(capacity, 1U, CAPACITY_SCALE);
	ret->package = cpu_number(root_fd, cpu, "topology/physical_package_id", TOPOLOGY_NONE);
	ret->sibling = first_sibling(root_fd, cpu);
}

/* -- cpufreq ---------------------------------------------------------------------------------- */

static void policy_path(char *path, size_t size, unsigned number, const char *file)
{
	snprintf(path, size, SYS_CPU "/cpufreq/policy%u/%s", number, file);
}

/* A word of a policy; "" if it can't be read, as while all its CPUs are offline. */
static void policy_text(int root_fd, unsigned number, const char *file, char *ret, size_t size)
{
	char path[96];

	policy_path(path, sizeof(path), number, file);
	if (rootfs_read_line(root_fd, path, ret, size) < 0)
		ret[0] = '\0';
}

static uint32_t policy_khz(int root_fd, unsigned number, const char *file)
{
	char path[96];
	uint64_t khz;

	policy_path(path, sizeof(path), number, file);
	return rootfs_read_u64(root_fd, path, &khz) < 0 || khz > UINT32_MAX ? 0 : (uint32_t)khz;
}

static int read_policy(int root_fd, unsigned number, struct cpufreq_policy *ret)
{
	struct cpufreq_policy policy = {.number = (uint16_t)number};
	char path[96], text[CPUMASK_TEXT_MAX];
	int r;

	/* Unlike the other lists of CPUs this one is separated by spaces (cpufreq_show_cpus()). */
	policy_path(path, sizeof(path), number, "related_cpus");
	r = rootfs_read_line(root_fd, path, text, sizeof(text));
	if (r < 0)
		return r;
	for (const char *p = text;;) {
		uint64_t cpu;

		p += strspn(p, " \t");
		if (*p == '\0')
			break;
		r = parse_column_u64(&p, &cpu);
		if (r < 0)
			return -EBADMSG;
		if (cpu < CPUMASK_CPUS)
			cpumask_set(&policy.related, (unsigned)cpu);
	}
	policy.min_khz = policy_khz(root_fd, number, "cpuinfo_min_freq");
	policy.max_khz = policy_khz(root_fd, number, "cpuinfo_max_freq");
	policy_text(root_fd, number, "scaling_driver", policy.driver, sizeof(policy.driver));
	policy_text(root_fd, number, "scaling_governor", policy.governor, sizeof(policy.governor));
	*ret = policy;
	return 0;
}

static void clear_policies(struct topology *topology)
{
	topology->n_policies = 0;
	for (unsigned cpu = 0; cpu < CPUMASK_CPUS; cpu++)
		topology->cpu[cpu].policy = TOPOLOGY_NONE;
}

/* A host without cpufreq has no such directory. */
static int read_policies(int root_fd, struct topology *topology)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	int fd = openat(root_fd, SYS_CPU "/cpufreq", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	clear_policies(topology);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;

		close(fd);
		return r;
	}
	while ((entry = readdir(dir)) && topology->n_policies < CPUMASK_CPUS) {
		struct cpufreq_policy *policy = &topology->policy[topology->n_policies];
		uint64_t number;

		if (strncmp(entry->d_name, "policy", 6) != 0 ||
		    parse_u64_max(entry->d_name + 6, CPUMASK_CPUS - 1, &number) < 0 ||
		    read_policy(root_fd, (unsigned)number, policy) < 0)
			continue;
		CPUMASK_FOREACH(cpu, &policy->related)
			topology->cpu[cpu].policy = (uint16_t)topology->n_policies;
		topology->n_policies++;
	}
	return 0;
}

/* -- the kernel ------------------------------------------------------------------------------- */

static void read_release(int root_fd, struct topology *topology)
{
	char text[256];

	if (rootfs_read_line(root_fd, "proc/sys/kernel/osrelease", text, sizeof(text)) < 0 ||
	    sscanf(text, "%4u.%4u", &topology->kernel_major, &topology->kernel_minor) != 2)
		topology->kernel_major = topology->kernel_minor = 0;
}

/* The begin of a file, as text: the first CPU of cpuinfo says what all have. */
static int read_begin(int root_fd, const char *path, char *buffer, size_t size)
{
	_cleanup_close_ int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buffer, size - 1);
	if (n < 0)
		return -errno;
	buffer[n] = '\0';
	return (int)n;
}

/* Whether a word stands in the line that begins with the key; -ENODATA if there is no such line. */
static int line_has_word(const char *text, const char *key, const char *word)
{
	size_t length = strlen(word);
	const char *line = text, *end, *p;

	while (strncmp(line, key, strlen(key)) != 0) {
		line = strchr(line, '\n');
		if (!line)
			return -ENODATA;
		line++;
	}
	end = line + strcspn(line, "\n");
	for (p = strstr(line, word); p && p < end; p = strstr(p + 1, word))
		if (strchr(" \t:", p[-1]) && strchr(" \n", p[length]))
			return 1;
	return 0;
}

/* Only x86 has "flags" there. */
static void read_invariance(int root_fd, struct topology *topology)
{
	char text[16384];
	int r = read_begin(root_fd, "proc/cpuinfo", text, sizeof(text));

	if (r >= 0)
		r = line_has_word(text, "flags", "aperfmperf");
	topology->invariant = r == -ENODATA ? topology->n_policies > 0 : r > 0;
}

static bool file_says(int root_fd, const char *path, const char *expect)
{
	char text[64];

	return rootfs_read_line(root_fd, path, text, sizeof(text)) >= 0 &&
	       strcmp(text, expect) == 0;
}

static bool all_schedutil(const struct topology *topology)
{
	bool any = false;

	for (unsigned i = 0; i < topology->n_policies; i++) {
		const struct cpufreq_policy *policy = &topology->policy[i];
		struct cpumask online;

		cpumask_and(&online, &policy->related, &topology->online);
		if (cpumask_is_empty(&online))
			continue;
		if (strcmp(policy->governor, "schedutil") != 0)
			return false;
		any = true;
	}
	return any;
}

static void read_kernel(int root_fd, struct topology *topology)
{
	topology->energy_aware = file_says(root_fd, "proc/sys/kernel/sched_energy_aware", "1");
	topology->sched_ext = file_says(root_fd, "sys/kernel/sched_ext/state", "enabled");
	topology->schedutil = all_schedutil(topology);
}

/* -- classes ---------------------------------------------------------------------------------- */

/* The next capacity above `above` that an online CPU has, and 0 if there is none. */
static unsigned next_capacity(const struct topology *topology, unsigned above)
{
	unsigned next = 0;

	CPUMASK_FOREACH(cpu, &topology->online) {
		unsigned capacity = topology->cpu[cpu].capacity1024;

		if (capacity > above && (next == 0 || capacity < next))
			next = capacity;
	}
	return next;
}

/* Whether a capacity belongs to a class whose smallest is `least`: less than 5 % above it. */
static bool same_class(unsigned least, unsigned capacity)
{
	return capacity * 100 < least * 105;
}

static void put_in_class(struct topology *topology, unsigned cpu, unsigned rank)
{
	struct core_class *class = &topology->class[rank];

	cpumask_set(&class->cpus, cpu);
	class->capacity1024 = MAX(class->capacity1024, (unsigned)topology->cpu[cpu].capacity1024);
	topology->cpu[cpu].class = (uint16_t)rank;
}

static void clear_classes(struct topology *topology)
{
	memset(topology->class, 0, sizeof(topology->class));
	topology->n_classes = 0;
	for (unsigned cpu = 0; cpu < CPUMASK_CPUS; cpu++)
		topology->cpu[cpu].class = TOPOLOGY_NONE;
}

void topology_classify(struct topology *topology)
{
	unsigned least = 0;

	clear_classes(topology);
	topology->declared = false;
	while ((least = next_capacity(topology, least)) > 0) {
		/* More kinds of cores than we have classes for: the biggest share the last. */
		bool last = topology->n_classes == TOPOLOGY_CLASSES_MAX - 1;
		unsigned rank = topology->n_classes++, most = least;

		CPUMASK_FOREACH(cpu, &topology->online) {
			unsigned capacity = topology->cpu[cpu].capacity1024;

			if (capacity < least || (!last && !same_class(least, capacity)))
				continue;
			put_in_class(topology, cpu, rank);
			most = MAX(most, capacity);
		}
		least = most;
	}
}

_printf_(3, 4) static int complain(char *message, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message, size, format, args);
	va_end(args);
	return -EINVAL;
}

/* Copies the part of *text up to a '<', without the blanks around it; *text then stands behind. */
static int take_class(const char **text, char *ret, size_t size)
{
	const char *begin = *text + strspn(*text, " \t");
	size_t length = strcspn(begin, "<");

	*text = begin + length + (begin[length] == '<');
	while (length > 0 && strchr(" \t", begin[length - 1]))
		length--;
	if (length >= size)
		return -ENAMETOOLONG;
	memcpy(ret, begin, length);
	ret[length] = '\0';
	return (int)length;
}

static int parse_class(const char *list, unsigned index, struct core_class *ret,
		       struct cpumask *taken, char *message, size_t size)
{
	struct cpumask both;
	int r = cpumask_parse(list, &ret->cpus);

	if (r == -ERANGE)
		return complain(message, size, "class %u: a CPU of \"%s\" is above %u", index + 1,
				list, CPUMASK_CPUS - 1);
	if (r < 0 || strchr(list, '\n'))
		return complain(message, size,
				"class %u: \"%s\" is not a list of CPUs such as 0-3,8", index + 1,
				list);
	cpumask_and(&both, &ret->cpus, taken);
	if (!cpumask_is_empty(&both))
		return complain(message, size, "class %u: CPU %u is in a smaller class already",
				index + 1, cpumask_next(&both, 0));
	cpumask_or(taken, taken, &ret->cpus);
	return 0;
}

int topology_parse_classes(const char *text, struct core_class ret[TOPOLOGY_CLASSES_MAX],
			   unsigned *ret_n, char *message, size_t size)
{
	struct core_class classes[TOPOLOGY_CLASSES_MAX] = {};
	struct cpumask taken = {};
	unsigned n = 0;
	bool more = true;

	while (more) {
		char list[CPUMASK_TEXT_MAX];
		int r;

		more = strchr(text, '<') != NULL;
		if (n == TOPOLOGY_CLASSES_MAX)
			return complain(message, size, "there can be at most %u classes",
					TOPOLOGY_CLASSES_MAX);
		r = take_class(&text, list, sizeof(list));
		if (r < 0)
			return complain(message, size, "class %u: the list is too long", n + 1);
		if (r == 0)
			return complain(message, size, "class %u is empty", n + 1);
		r = parse_class(list, n, &classes[n], &taken, message, size);
		if (r < 0)
			return r;
		n++;
	}
	memcpy(ret, classes, sizeof(classes));
	*ret_n = n;
	return 0;
}

const char *topology_classes_problem(const char *text)
{
	struct core_class classes[TOPOLOGY_CLASSES_MAX];
	char message[128];
	unsigned n;

	if (*text == '\0' ||
	    topology_parse_classes(text, classes, &n, message, sizeof(message)) >= 0)
		return NULL;
	return "lists of CPUs, smallest cores first, each CPU once, such as 0-1 < 2-3";
}

int topology_declare(struct topology *topology, const char *text, char *message, size_t size)
{
	struct core_class classes[TOPOLOGY_CLASSES_MAX];
	unsigned n;
	int r = topology_parse_classes(text, classes, &n, message, size);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < n; i++)
		CPUMASK_FOREACH(cpu, &classes[i].cpus)
			if (!cpumask_has(&topology->possible, cpu))
				return complain(message, size, "class %u: there is no CPU %u here",
						i + 1, cpu);
	clear_classes(topology);
	topology->declared = true;
	topology->n_classes = n;
	for (unsigned i = 0; i < n; i++)
		CPUMASK_FOREACH(cpu, &classes[i].cpus)
			put_in_class(topology, cpu, i);
	return 0;
}

bool topology_obeys_clamp(const struct topology *topology, unsigned cpu)
{
	uint16_t policy = cpu < CPUMASK_CPUS ? topology->cpu[cpu].policy : TOPOLOGY_NONE;

	return policy < topology->n_policies &&
	       strcmp(topology->policy[policy].governor, "schedutil") == 0;
}

uint32_t topology_top_khz(const struct topology *topology)
{
	unsigned most = 0;
	uint32_t khz = 0;

	CPUMASK_FOREACH(cpu, &topology->online) {
		const struct topology_cpu *at = &topology->cpu[cpu];
		uint32_t max_khz = at->policy < topology->n_policies
					   ? topology->policy[at->policy].max_khz
					   : 0;

		if (at->capacity1024 < most)
			continue;
		khz = at->capacity1024 > most ? max_khz : MAX(khz, max_khz);
		most = at->capacity1024;
	}
	return khz;
}

/* -- all of it -------------------------------------------------------------------------------- */

int topology_read(int root_fd, struct topology **ret)
{
	_cleanup_free_ struct topology *topology = calloc(1, sizeof(*topology));
	int r;

	if (!topology)
		return -ENOMEM;
	r = read_cpus(root_fd, SYS_CPU "/online", &topology->online);
	if (r < 0)
		return r;
	if (cpumask_is_empty(&topology->online))
		return -ENODATA;
	if (read_cpus(root_fd, SYS_CPU "/possible", &topology->possible) < 0)
		topology->possible = topology->online;
	for (unsigned cpu = 0; cpu < CPUMASK_CPUS; cpu++)
		topology->cpu[cpu] = (struct topology_cpu){
			CAPACITY_SCALE, TOPOLOGY_NONE, TOPOLOGY_NONE, (uint16_t)cpu, TOPOLOGY_NONE};
	CPUMASK_FOREACH(cpu, &topology->possible)
		read_cpu(root_fd, cpu, &topology->cpu[cpu]);
	r = read_policies(root_fd, topology);
	if (r < 0)
		return r;
	topology->uclamp_files =
		faccessat(root_fd, "proc/sys/kernel/sched_util_clamp_min", F_OK, 0) == 0;
	read_release(root_fd, topology);
	read_invariance(root_fd, topology);
	read_kernel(root_fd, topology);
	topology_classify(topology);
	*ret = TAKE_PTR(topology);
	return 0;
}

/* A CPU that was offline at the start tells only now what it is, and its policy comes with it. */
static int follow_online(int root_fd, struct topology *topology)
{
	CPUMASK_FOREACH(cpu, &topology->online)
		read_cpu(root_fd, cpu, &topology->cpu[cpu]);
	if (!topology->declared)
		topology_classify(topology);
	return read_policies(root_fd, topology);
}

int topology_refresh(int root_fd, struct topology *topology)
{
	struct cpumask online;
	int r = read_cpus(root_fd, SYS_CPU "/online", &online);

	if (r < 0)
		return r;
	if (cpumask_is_empty(&online))
		return -ENODATA;
	if (!cpumask_equal(&online, &topology->online)) {
		topology->online = online;
		r = follow_online(root_fd, topology);
	}
	for (unsigned i = 0; i < topology->n_policies; i++)
		policy_text(root_fd, topology->policy[i].number, "scaling_governor",
			    topology->policy[i].governor, sizeof(topology->policy[i].governor));
	read_kernel(root_fd, topology);
	return r;
}

int topology_boot_id(int root_fd, char ret[BOOT_ID_MAX])
{
	char text[BOOT_ID_MAX];
	int r = rootfs_read_line(root_fd, "proc/sys/kernel/random/boot_id", text, sizeof(text));

	if (r < 0)
		return r;
	if (r == 0)
		return -ENODATA;
	strcpy(ret, text);
	return 0;
}
