/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ledger's loader, on files that somebody has damaged or made up. The first byte of the input
 * says whether lines are to get the checksum that they need: then the fuzzer reaches what is behind
 * it too. Whatever is loaded has to survive being put back and being written anew. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/macro.h"
#include "hostd/ledger.h"

#define BOOT_ID "boot"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char current[SETTING_VALUE_MAX];

/* The one value of this host: what was written last. */
static int read_setting(void *userdata _unused_, const char *name _unused_, char *value,
			size_t size)
{
	snprintf(value, size, "%s", current);
	return 0;
}

static int write_setting(void *userdata _unused_, const char *name, const char *value)
{
	if (name[0] == 'x')
		return -EIO;
	snprintf(current, sizeof(current), "%s", value);
	return 0;
}

static int write_both(void *userdata, const char *name, const char *value, const char *other)
{
	return write_setting(userdata, name, name[1] ? value : other);
}

static int expect_setting(void *userdata _unused_, const char *name _unused_, const char *value,
			  char *seen, size_t size)
{
	snprintf(seen, size, "%.1s", value);
	return 0;
}

static const struct setting_ops ops[] = {
	{"f", read_setting, write_setting, .write_both = write_both},
	{"file", read_setting, write_setting, .expect = expect_setting},
};

static const char *ledger_path(void)
{
	static char path[64];

	if (!path[0]) {
		snprintf(path, sizeof(path), "/tmp/fuzz-ledger-%d", (int)getpid());
		if (access("/dev/shm", W_OK) == 0)
			snprintf(path, sizeof(path), "/dev/shm/fuzz-ledger-%d", (int)getpid());
	}
	return path;
}

static uint32_t checksum(const uint8_t *text, size_t length)
{
	uint32_t sum = UINT32_C(2166136261);

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ text[i]) * UINT32_C(16777619);
	return sum;
}

static void write_line(FILE *file, const uint8_t *line, size_t length)
{
	fwrite(line, 1, length, file);
	fprintf(file, " #%08" PRIx32 "\n", checksum(line, length));
}

static void write_with_checksums(FILE *file, const uint8_t *data, size_t size)
{
	write_line(file, (const uint8_t *)"vmfreq-ledger 1 " BOOT_ID,
		   strlen("vmfreq-ledger 1 " BOOT_ID));
	while (size > 0) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t length = newline ? (size_t)(newline - data) : size;

		write_line(file, data, length);
		data += length + (newline != NULL);
		size -= length + (newline != NULL);
	}
}

static void write_file(const uint8_t *data, size_t size)
{
	FILE *file = fopen(ledger_path(), "we");

	if (!file)
		abort();
	if (size > 0 && data[0] == 'c')
		write_with_checksums(file, data + 1, size - 1);
	else
		fwrite(data, 1, size, file);
	fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger *ledger;
	struct ledger_tally tally = {};
	size_t count;

	current[0] = '\0';
	write_file(data, size);
	if (ledger_open(ledger_path(), BOOT_ID, ops, ARRAY_SIZE(ops), &ledger) < 0) {
		unlink(ledger_path());
		return 0;
	}
	count = ledger_count(ledger);
	for (size_t i = 0; i < count; i++)
		(void)ledger_set(ledger, ledger_at(ledger, i), "1");
	for (size_t i = 1; i < count; i++)
		(void)ledger_set_both(
			ledger, (const struct ledger_change[]){{ledger_at(ledger, i - 1), "2"},
							       {ledger_at(ledger, i), "3"}});
	ledger_close(ledger);
	if (access(ledger_path(), F_OK) < 0)
		return 0;
	/* What was written is read again, all of it. */
	if (ledger_open(ledger_path(), BOOT_ID, ops, ARRAY_SIZE(ops), &ledger) < 0 ||
	    ledger_count(ledger) > count)
		abort();
	ledger_restore_all(ledger, &tally);
	if (ledger_count(ledger) != tally.failed)
		abort();
	ledger_close(ledger);
	unlink(ledger_path());
	return 0;
}
