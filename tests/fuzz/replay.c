/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target on inputs that were kept, without libFuzzer: `make check` does so with any
 * compiler. The files of tests/data/corpus/fuzz-NAME, for a program called replay-NAME; or those that
 * are named as arguments. Of each file also every beginning is run, as a peer that dies leaves it. */
#include <dirent.h>

#include "tests/fuzz/fuzz.h"

#define PREFIXES_MAX 600U

static unsigned n_files;

/* From memory that ends where the input does. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(MAX(size, 1U));

	REQUIRE(copy);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay(const char *path)
{
	static uint8_t data[1 << 20];
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	size_t size;

	if (!file) {
		fprintf(stderr, "%s can't be read\n", path);
		exit(1);
	}
	size = fread(data, 1, sizeof(data), file);
	fprintf(stderr, "%s: %zu bytes\n", path, size);
	run(data, size);
	for (size_t n = 0; n < size && n < PREFIXES_MAX; n++)
		run(data, n);
	n_files++;
}

static int is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replay_directory(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_file, alphasort);

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = NULL;

		REQUIRE(asprintf(&file, "%s/%s", path, entries[i]->d_name) > 0);
		replay(file);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	_cleanup_free_ char *path = NULL;

	name = name ? name + 1 : argv[0];
	REQUIRE(asprintf(&path, "%s/tests/data/corpus/fuzz-%s", SRCDIR,
			 strncmp(name, "replay-", 7) == 0 ? name + 7 : name) > 0);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc < 2)
		replay_directory(path);
	if (n_files == 0) {
		fprintf(stderr, "%s holds no input\n", path);
		return 1;
	}
	return 0;
}
