/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A config file that somebody made up, for hostd and for guestd: it is taken as a whole with every
 * value inside its limits, or refused with a reason and nothing changed. */
#include <sys/mman.h>

#include "guestd/guest_config.h"
#include "hostd/entitlement.h"
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
	_cleanup_free_ char *scratch =
		calloc(1, sizeof(struct host_config) + sizeof(struct guest_config));
	char text[CONFIG_STRING_MAX], back[CONFIG_STRING_MAX], message[CONFIG_STRING_MAX];

	REQUIRE(scratch);
	REQUIRE(config_format(key, config, text, sizeof(text)) >= 0);
	REQUIRE(config_set(key, scratch, text, message, sizeof(message)) == 0);
	REQUIRE(config_format(key, scratch, back, sizeof(back)) >= 0);
	REQUIRE(strcmp(text, back) == 0);
}

/* What stands in the group's sections: each value may stand in a file. */
static void check_sections(const struct config_table *table, const void *config)
{
	const struct config_sections *sections = config_sections_of(table, config);

	for (size_t i = 0; sections && i < sections->n; i++) {
		REQUIRE(*sections->list[i].pattern != '\0');
		REQUIRE(!table->group->check(sections->list[i].pattern));
		for (size_t k = 0; k < table->group->n_keys; k++)
			if (sections->list[i].turn[k] > 0)
				check_value(&table->group->keys[k], sections->list[i].values);
	}
}

/* All but the sections, whose memory differs. */
static bool same_values(const struct config_table *table, const void *a, const void *b)
{
	size_t begin = table->group ? table->group->offset : table->size;
	size_t end = table->group ? begin + sizeof(struct config_sections) : begin;

	return memcmp(a, b, begin) == 0 &&
	       memcmp((const char *)a + end, (const char *)b + end, table->size - end) == 0;
}

/* A domain whose name is like a section's pattern gets the same of both. */
static void check_entitlements(const struct host_config *a, const struct host_config *b)
{
	for (size_t i = 0; i < a->domains.n && i < 64; i++) {
		const char *name = a->domains.list[i].pattern;
		uint8_t uuid[DOMAIN_UUID] = {1};
		struct entitlement of_a, of_b;

		(void)uuid_parse(name, uuid);
		entitlement_resolve(a, name, uuid, &of_a);
		entitlement_resolve(b, name, uuid, &of_b);
		REQUIRE(entitlement_equal(&of_a, &of_b));
		REQUIRE(of_a.weight >= 1 && of_a.weight <= 10000 && of_a.floor_max1024 <= 1024);
	}
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
	REQUIRE(same_values(table, back, config));
	if (table == &host_config_table)
		check_entitlements(config, (const struct host_config *)back);
	config_done(table, back);
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
	check_sections(table, config);
	check_dump(table, config, &sources);
	config_done(table, config);
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
