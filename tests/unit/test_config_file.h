/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vmfreq.conf in a throw-away directory, and what it is accused of when it is loaded. */
#pragma once

#include "tests/unit/test_config_table.h"

static char *dir, *path;

static inline int setup(_unused_ void **state)
{
	dir = test_make_dir();
	return asprintf(&path, "%s/vmfreq.conf", dir) < 0;
}

static inline int teardown(_unused_ void **state)
{
	free(path);
	test_remove_dir(dir);
	return 0;
}

#define CONFIG_FILE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* All of it: "line E|W message\n", with a drop-in's name before it. */
struct complaints {
	unsigned errors, warnings;
	char text[4096];
};

static inline void on_complaint(void *userdata, bool is_error, const char *file, unsigned line,
				const char *message)
{
	const char *drop_in = strstr(file, ".conf.d/");
	struct complaints *complaints = userdata;
	size_t used = strlen(complaints->text);

	if (is_error)
		complaints->errors++;
	else
		complaints->warnings++;
	snprintf(complaints->text + used, sizeof(complaints->text) - used, "%s%s%u %c %s\n",
		 drop_in ? drop_in + strlen(".conf.d/") : "", drop_in ? ":" : "", line,
		 is_error ? 'E' : 'W', message);
}
