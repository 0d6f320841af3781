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

static void check(const char *path, const struct config_key *keys, size_t n_keys, size_t size)
{
	_cleanup_free_ uint8_t *config = malloc(size), *before = malloc(size);
	unsigned errors = 0;
	int r;

	REQUIRE(config && before);
	memset(config, 0xa5, size);
	memcpy(before, config, size);
	r = config_load(path, keys, n_keys, config, size, on_complaint, &errors);
	if (r < 0) {
		REQUIRE(memcmp(config, before, size) == 0);
		REQUIRE(errors > 0);
		return;
	}
	REQUIRE(errors == 0);
	for (size_t i = 0; i < n_keys; i++)
		check_value(&keys[i], config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("vmfreq.conf", MFD_CLOEXEC);
	char path[64];

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(path, host_config_keys, host_config_n_keys, sizeof(struct host_config));
	check(path, guest_config_keys, guest_config_keys_n, sizeof(struct guest_config));
	close(fd);
	return 0;
}
