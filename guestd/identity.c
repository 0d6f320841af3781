/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: who this guest and its CPUs are, for HELLO. */
#include "guestd/identity.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"
#include "guestd/madt.h"

#define UUID_TEXT 36U
#define MADT_MAX  (128U * 1024) /* 1024 CPUs of 82 bytes each, and the rest of it */
#define CELL	  4U

/* "apicid\t\t: 3": whether the line has this key, and its number. */
static bool get_number(const char *line, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);

	if (strncmp(line, key, n) != 0)
		return false;
	line += n + strspn(line + n, " \t");
	if (*line++ != ':')
		return false;
	return parse_column_u64(&line, ret) == 0;
}

static void set_id(struct message_hello *hello, uint64_t cpu, uint64_t id)
{
	for (unsigned i = 0; i < hello->n_cpus; i++)
		if (hello->cpu[i].cpu == cpu)
			hello->cpu[i].id = id;
}

static void read_apic_ids(int root_fd, struct message_hello *hello)
{
	uint64_t cpu = UINT64_MAX, id;
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int fd = openat(root_fd, "proc/cpuinfo", O_RDONLY | O_CLOEXEC);

	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (!file)
		return;
	while (getline(&line, &size, file) >= 0)
		if (!get_number(line, "processor", &cpu) && get_number(line, "apicid", &id))
			set_id(hello, cpu, id);
}

/* A device tree's `reg` of a CPU is its MPIDR, in one big-endian cell or two. */
static int read_reg(int root_fd, unsigned cpu, uint64_t *ret)
{
	char path[64], reg[2 * CELL + 1];
	uint64_t value = 0;
	int n;

	snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/of_node/reg", cpu);
	n = rootfs_read(root_fd, path, reg, sizeof(reg));
	if (n < 0)
		return n;
	if (n != CELL && n != 2 * CELL)
		return -EBADMSG;
	for (int i = 0; i < n; i++)
		value = value << 8 | (uint8_t)reg[i];
	*ret = value & MPIDR_AFFINITY;
	return 0;
}

/* Under ACPI the kernel shows of a CPU its processor object's _UID, and that is in the MADT. */
static int read_uid(int root_fd, unsigned cpu, uint32_t *ret)
{
	char path[64];
	uint64_t uid;
	int r;

	snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/firmware_node/uid", cpu);
	r = rootfs_read_u64(root_fd, path, &uid);
	if (r >= 0 && uid > UINT32_MAX)
		r = -ERANGE;
	if (r >= 0)
		*ret = (uint32_t)uid;
	return r;
}

static void read_madt_ids(int root_fd, struct message_hello *hello)
{
	_cleanup_free_ char *table = malloc(MADT_MAX);
	int size = -ENOMEM;

	if (table)
		size = rootfs_read(root_fd, "sys/firmware/acpi/tables/APIC", table, MADT_MAX);
	for (unsigned i = 0; size >= 0 && i < hello->n_cpus; i++) {
		struct hello_cpu *cpu = &hello->cpu[i];
		uint32_t uid;

		if (cpu->id == UINT64_MAX && read_uid(root_fd, cpu->cpu, &uid) >= 0)
			madt_mpidr((const uint8_t *)table, (size_t)size, uid, &cpu->id);
	}
}

static bool has_all_ids(const struct message_hello *hello)
{
	for (unsigned i = 0; i < hello->n_cpus; i++)
		if (hello->cpu[i].id == UINT64_MAX)
			return false;
	return true;
}

void identity_read_cpus(int root_fd, const struct cpumask *cpus, struct message_hello *ret)
{
	ret->n_cpus = 0;
	CPUMASK_FOREACH(i, cpus)
		ret->cpu[ret->n_cpus++] = (struct hello_cpu){.cpu = i, .id = UINT64_MAX};
	read_apic_ids(root_fd, ret);
	for (unsigned i = 0; i < ret->n_cpus; i++)
		if (ret->cpu[i].id == UINT64_MAX)
			read_reg(root_fd, ret->cpu[i].cpu, &ret->cpu[i].id);
	if (!has_all_ids(ret))
		read_madt_ids(root_fd, ret);
}

static int hex_value(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int identity_read_boot_id(int root_fd, uint8_t ret[16])
{
	char text[UUID_TEXT + 2];
	uint8_t id[16];
	unsigned digits = 0;
	int n = rootfs_read_line(root_fd, "proc/sys/kernel/random/boot_id", text, sizeof(text));

	if (n < 0)
		return n;
	if (n != (int)UUID_TEXT)
		return -EBADMSG;
	for (unsigned i = 0; i < UUID_TEXT; i++) {
		int value = hex_value(text[i]);

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return -EBADMSG;
			continue;
		}
		if (value < 0)
			return -EBADMSG;
		id[digits / 2] = (uint8_t)(digits % 2 ? id[digits / 2] | value : value << 4);
		digits++;
	}
	memcpy(ret, id, sizeof(id));
	return 0;
}

bool identity_follows_cpufreq(void)
{
#if defined(__aarch64__) || defined(__arm__)
	return true;
#else
	return false;
#endif
}
