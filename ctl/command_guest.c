/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreqctl guest-acpi, guest-dtb: a cpufreq device for guests that have none. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"
#include "ctl/command.h"
#include "ctl/domain_text.h"
#include "ctl/dtb.h"
#include "ctl/output.h"
#include "ctl/ssdt.h"

#define WHY_MAX 200U

/* Says what is missing or wrong with an option. */
static int usage(const char *option, const char *why)
{
	fprintf(stderr, "vmfreqctl: %s: %s\n", option, why);
	return EX_USAGE;
}

/* 0, or an exit code. */
static int parse_frequencies(const struct options *options, struct frequencies *ret)
{
	char why[WHY_MAX];

	if (!options->frequencies)
		return usage("--frequencies is missing", "which, such as 600MHz,1.2GHz?");
	if (frequencies_parse(options->frequencies, ret, why, sizeof(why)) < 0)
		return usage("--frequencies", why);
	return 0;
}

static int parse_cpus(const struct options *options, unsigned *ret)
{
	uint64_t cpus;

	if (!options->cpus)
		return usage("--cpus is missing", "how many are in the domain's <vcpu>?");
	if (parse_u64_max(options->cpus, SSDT_CPUS_MAX, &cpus) < 0 || cpus == 0)
		return usage("--cpus",
			     "it is a number from 1 to 4096, that in the domain's <vcpu>");
	*ret = (unsigned)cpus;
	return 0;
}

/* ACPI knows whole MHz alone: a fraction would be lost, and two could become one. */
static int check_mhz(const struct frequencies *frequencies)
{
	for (unsigned i = 0; i < frequencies->n; i++)
		if (frequencies->khz[i] % 1000 != 0)
			return usage("--frequencies", "ACPI has whole MHz: leave fractions out");
	return 0;
}

/* Writes the file and says so, up to what goes into the domain; *ret_path is its absolute path.
 * 0, or an exit code. */
static int write_file(const char *path, const void *data, size_t size, char **ret_path)
{
	int r = output_write(path, data, size);

	if (r >= 0) {
		*ret_path = realpath(path, NULL);
		r = *ret_path ? 0 : -errno;
	}
	if (r >= 0)
		return 0;
	fprintf(stderr, "vmfreqctl: %s can't be written: %s\n", path,
		r == -EEXIST ? "it is there, and no file" : strerror(-r));
	return EXIT_REFUSED;
}

static int write_stdout(const struct aml *table)
{
	if (fwrite(table->bytes, 1, table->n, stdout) == table->n && fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "vmfreqctl: the table can't be written: %s\n", strerror(errno));
	return EXIT_REFUSED;
}

static int write_table(const struct options *options, const struct aml *table, unsigned cpus,
		       const struct frequencies *frequencies)
{
	_cleanup_free_ char *path = NULL;
	int code;

	if (!options->output)
		return write_stdout(table);
	code = write_file(options->output, table->bytes, table->n, &path);
	if (code != 0)
		return code;
	printf("%s: %u CPUs with %u frequencies each\n", path, cpus, frequencies->n);
	domain_text_acpi(stdout, path, cpus);
	return 0;
}

int command_guest_acpi(const struct options *options, _unused_ char *const argv[])
{
	static struct aml table;
	struct frequencies frequencies;
	unsigned cpus = 0;
	int code = parse_cpus(options, &cpus);

	if (code == 0)
		code = parse_frequencies(options, &frequencies);
	if (code == 0)
		code = check_mhz(&frequencies);
	if (code == 0 && !options->output && isatty(STDOUT_FILENO))
		code = usage("--output is missing", "the table is nothing to read on a terminal");
	if (code == 0 && ssdt_pstates(&table, cpus, &frequencies) < 0)
		code = usage("--frequencies", "with so many CPUs the table is larger than the "
					      "64 KiB that QEMU takes: name fewer");
	return code != 0 ? code : write_table(options, &table, cpus, &frequencies);
}

/* The file, which may have up to DTB_SIZE_MAX bytes; *ret is freed by the caller. 0, or an exit
 * code. */
static int read_dtb(const char *path, char **ret, size_t *ret_size)
{
	int n;

	*ret = malloc(DTB_SIZE_MAX + 1);
	n = *ret ? rootfs_read(AT_FDCWD, path, *ret, DTB_SIZE_MAX + 1) : -ENOMEM;
	if (n >= 0) {
		*ret_size = (size_t)n;
		return 0;
	}
	fprintf(stderr, "vmfreqctl: %s can't be read: %s\n", path,
		n == -EFBIG ? "it has more than 2 MiB, so it is no device tree of a VM"
			    : strerror(-n));
	return EXIT_REFUSED;
}

/* What the options say. 0, or an exit code. */
static int parse_dtb_options(const struct options *options, struct frequencies *frequencies,
			     struct clusters *clusters)
{
	char why[WHY_MAX];
	int code;

	if (!options->input)
		return usage("--input is missing", "which device tree, from QEMU's dumpdtb?");
	if (!options->output)
		return usage("--output is missing", "where is the new device tree to go?");
	if (output_is_same(options->input, options->output))
		return usage("--output", "it is the input itself: name another file");
	code = parse_frequencies(options, frequencies);
	if (code != 0)
		return code;
	if (options->clusters && clusters_parse(options->clusters, clusters, why, sizeof(why)) < 0)
		return usage("--clusters", why);
	return 0;
}

int command_guest_dtb(const struct options *options, _unused_ char *const argv[])
{
	_cleanup_free_ char *input = NULL, *path = NULL;
	_cleanup_free_ void *output = NULL;
	struct frequencies frequencies;
	struct clusters clusters = {};
	char why[WHY_MAX];
	size_t input_size, size;
	unsigned cpus = 0;
	int code, r;

	code = parse_dtb_options(options, &frequencies, &clusters);
	if (code == 0)
		code = read_dtb(options->input, &input, &input_size);
	if (code != 0)
		return code;
	r = dtb_add_frequencies(input, input_size, &frequencies, &clusters, &output, &size, &cpus,
				why, sizeof(why));
	if (r == -ERANGE)
		return usage("--frequencies", why);
	if (r == -ENOTSUP) {
		fprintf(stderr, "vmfreqctl: %s\n", why);
		return EX_UNAVAILABLE;
	}
	if (r < 0) {
		fprintf(stderr, "vmfreqctl: %s: %s\n", options->input, why);
		return EXIT_REFUSED;
	}
	code = write_file(options->output, output, size, &path);
	if (code != 0)
		return code;
	printf("%s: %u CPUs with %u frequencies each\n", path, cpus, frequencies.n);
	domain_text_dtb(stdout, path, cpus);
	return 0;
}
