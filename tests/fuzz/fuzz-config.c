/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A config file that somebody made up, for hostd and for guestd: it is taken as a whole with every
 * value inside its limits, or refused with a reason and nothing changed. */
#include <sys/mman.h>

#include "guestd/guest_config.h"
#include "hostd/host_config.h"
#include "tests/fuzz/fuzz.h"

static void on_complaint(void *userdata, bool is_error, _unused_ const char *file,
			 _unused_ unsigned line, const char *message)
{
	REQUIRE(*message);
	*(unsigned *)userdata += is_error;
}

/* Whether the value is one that the file might say. */
static void check_value(const struct config_key *key, const void *config)
{
	_cleanup_free_ char *scratch = calloc(1, sizeof(struct host_config) +
							 sizeof(struct guest_config));
	char text[CONFIG_STRING_MAX], back[CONFIG_STRING_MAX], message[CONFIG_STRING_MAX];

	REQUIRE(scratch);
	REQUIRE(config_format(key, config, text, sizeof(text)) >= 0);
	REQUIRE(config_set(key, scratch, text, message, sizeof(message)) == 0);
	REQUIRE(config_format(key, scratch, back, sizeof(back)) >= 0);
	REQUIRE(strcmp(text, back) == 0);
}

/* What is dumped is a file that says the same, without complaint. */
static void check_dump(const struct config_table *table, const void *config,
		       const struct config_sources *sources)
{
	_cleanup_free_ uint8_t *back = calloc(1, table->size);
	_cleanup_close_ int fd = memfd_create("dump.conf", MFD_CLOEXEC);
	FILE *file = fdopen(dup(fd), "w");
	unsigned complaints = 0;
	char path[64];

	REQUIRE(back && file);
	REQUIRE(config_dump(table, config, sources, file) == 0);
	fclose(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	REQUIRE(config_load(path, table, back, NULL, on_complaint, &complaints) == 0);
	REQUIRE(memcmp(back, config, table->size) == 0);
}

static void check(const char *path, const struct config_table *table)
{
	_cleanup_(config_sources_done) struct config_sources sources = {};
	size_t size = table->size;
	_cleanup_free_ uint8_t *config = malloc(size), *before = malloc(size);
	unsigned errors = 0;
	int r;

	REQUIRE(config && before);
	memset(config, 0xa5, size);
	memcpy(before, config, size);
	r = config_load(path, table, config, &sources, on_complaint, &errors);
	if (r < 0) {
		REQUIRE(memcmp(config, before, size) == 0);
		REQUIRE(errors > 0);
		return;
	}
	REQUIRE(errors == 0);
	for (size_t i = 0; i < table->n_keys; i++)
		check_value(&table->keys[i], config);
	check_dump(table, config, &sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("vmfreq.conf", MFD_CLOEXEC);
	char path[64];

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(path, &host_config_table);
	check(path, &guest_config_table);
	close(fd);
	return 0;
}
