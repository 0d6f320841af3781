/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device tree blob that gets operating points for its CPUs. The bindings:
 * Documentation/devicetree/ bindings/opp/opp-v2.yaml and clock/fixed-clock.yaml of Linux. */
#include "ctl/dtb.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "common/macro.h"

/* Made up: a guest has no regulator. Linux's energy model wants one that rises. */
#define MIN_UV	   700000U
#define MAX_UV	   1100000U
#define LATENCY_NS 10000U

/* Room for what is added: more than it takes. */
#define ROOM		4096U
#define ROOM_PER_DOMAIN 512U
#define ROOM_PER_STATE	160U

/* What is being added to. */
struct tree {
	void *fdt;
	unsigned n_cpus;
	uint32_t phandle; /* the last one that is taken */
	const struct frequencies *frequencies;
	const struct clusters *clusters;
};

struct reason {
	char *text;
	size_t size;
};

_printf_(3, 4) static int refuse(const struct reason *why, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, why->size, format, args);
	va_end(args);
	return error;
}

static bool is_cpu(const void *fdt, int node)
{
	int length;
	const char *type = fdt_getprop(fdt, node, "device_type", &length);

	return type && length == 4 && memcmp(type, "cpu", 4) == 0;
}

/* The node of CPU number n, or a negative value of libfdt's. */
static int find_cpu(const void *fdt, unsigned n)
{
	int node = fdt_path_offset(fdt, "/cpus");

	if (node < 0)
		return node;
	fdt_for_each_subnode(node, fdt, node) if (is_cpu(fdt, node) && n-- == 0) return node;
	return node;
}

/* Counts the CPUs and looks whether one has got already what is to be added. */
static int check_cpus(struct tree *tree, const struct reason *why)
{
	static const char *const taken[] = {"operating-points-v2", "operating-points", "clocks"};
	int node;

	for (; tree->n_cpus < CLUSTERS_CPUS; tree->n_cpus++) {
		node = find_cpu(tree->fdt, tree->n_cpus);
		if (node < 0)
			break;
		for (unsigned i = 0; i < ARRAY_SIZE(taken); i++)
			if (fdt_getprop(tree->fdt, node, taken[i], NULL))
				return refuse(why, -EEXIST,
					      "its CPU %u already has %s: give it the device tree "
					      "that QEMU itself dumps",
					      tree->n_cpus, taken[i]);
	}
	if (tree->n_cpus == 0)
		return refuse(why, -ENODEV,
			      "it has no CPUs: dump it from the domain's own machine with QEMU's "
			      "-machine dumpdtb=FILE");
	if (clusters_last(tree->clusters) >= (int)tree->n_cpus)
		return refuse(why, -ENODEV, "it has %u CPUs, and --clusters names CPU %d",
			      tree->n_cpus, clusters_last(tree->clusters));
	return 0;
}

/* The following return 0 or libfdt's negative values. */

/* From MIN_UV at the lowest frequency to MAX_UV at the highest. */
static uint32_t voltage_of(const struct frequencies *frequencies, unsigned i)
{
	uint64_t low = frequencies->khz[frequencies->n - 1], high = frequencies->khz[0];

	return (uint32_t)(MIN_UV + (MAX_UV - MIN_UV) * (frequencies->khz[i] - low) / (high - low));
}

static int add_state(struct tree *tree, int table, unsigned i)
{
	uint64_t hz = tree->frequencies->khz[i] * 1000;
	char name[32];
	int node, r;

	snprintf(name, sizeof(name), "opp-%llu", (unsigned long long)hz);
	node = fdt_add_subnode(tree->fdt, table, name);
	if (node < 0)
		return node;
	r = fdt_setprop_u64(tree->fdt, node, "opp-hz", hz);
	if (r == 0)
		r = fdt_setprop_u32(tree->fdt, node, "opp-microvolt",
				    voltage_of(tree->frequencies, i));
	return r < 0 ? r : fdt_setprop_u32(tree->fdt, node, "clock-latency-ns", LATENCY_NS);
}

/* A node NAME-cpuN of the root's: its offset, or libfdt's error. */
static int add_node(struct tree *tree, const char *what, unsigned cpu, const char *compatible)
{
	char name[32];
	int node, r;

	snprintf(name, sizeof(name), "%s-cpu%u", what, cpu);
	node = fdt_add_subnode(tree->fdt, 0, name);
	if (node < 0)
		return node;
	r = fdt_setprop_string(tree->fdt, node, "compatible", compatible);
	return r < 0 ? r : node;
}

/* A node comes before its siblings: so the highest frequency is added first. */
static int add_table(struct tree *tree, unsigned cpu, uint32_t phandle)
{
	int node = add_node(tree, "opp-table", cpu, "operating-points-v2"), r = 0;

	if (node < 0)
		return node;
	if (tree->clusters->of[cpu] != 0)
		r = fdt_setprop_empty(tree->fdt, node, "opp-shared");
	if (r == 0)
		r = fdt_setprop_u32(tree->fdt, node, "phandle", phandle);
	for (unsigned i = 0; r == 0 && i < tree->frequencies->n; i++)
		r = add_state(tree, node, i);
	return r;
}

static int add_clock(struct tree *tree, unsigned cpu, uint32_t phandle)
{
	int node = add_node(tree, "clock", cpu, "fixed-clock"), r;

	if (node < 0)
		return node;
	r = fdt_setprop_u32(tree->fdt, node, "#clock-cells", 0);
	if (r == 0)
		r = fdt_setprop_u32(tree->fdt, node, "clock-frequency",
				    (uint32_t)(tree->frequencies->khz[0] * 1000));
	return r < 0 ? r : fdt_setprop_u32(tree->fdt, node, "phandle", phandle);
}

static int refer(struct tree *tree, unsigned cpu, uint32_t clock, uint32_t table)
{
	int node = find_cpu(tree->fdt, cpu), r;

	if (node < 0)
		return node;
	r = fdt_setprop_u32(tree->fdt, node, "clocks", clock);
	return r < 0 ? r : fdt_setprop_u32(tree->fdt, node, "operating-points-v2", table);
}

/* The table and the clock of a CPU that is alone, or the first of its cluster; and who refers. */
static int add_domain(struct tree *tree, unsigned first)
{
	uint32_t clock = ++tree->phandle, table = ++tree->phandle;
	unsigned cluster = tree->clusters->of[first];
	int r = add_clock(tree, first, clock);

	if (r == 0)
		r = add_table(tree, first, table);
	for (unsigned cpu = first; r == 0 && cpu < tree->n_cpus; cpu++)
		if (cpu == first || (cluster != 0 && tree->clusters->of[cpu] == cluster))
			r = refer(tree, cpu, clock, table);
	return r;
}

static bool is_first(const struct clusters *clusters, unsigned cpu)
{
	for (unsigned i = 0; clusters->of[cpu] != 0 && i < cpu; i++)
		if (clusters->of[i] == clusters->of[cpu])
			return false;
	return true;
}

static int add_all(struct tree *tree)
{
	int r = fdt_find_max_phandle(tree->fdt, &tree->phandle);

	/* 2^32 - 1 is none */
	if (r == 0 && tree->phandle >= UINT32_MAX - 1 - 2 * tree->n_cpus)
		r = -FDT_ERR_NOPHANDLES;
	for (unsigned cpu = tree->n_cpus; r == 0 && cpu-- > 0;)
		if (is_first(tree->clusters, cpu))
			r = add_domain(tree, cpu);
	return r < 0 ? r : fdt_pack(tree->fdt);
}

/* Fills in a tree with a copy that has room. */
static int copy(struct tree *tree, const void *dtb, size_t size, const struct reason *why)
{
	size_t room = ROOM + CLUSTERS_CPUS * (ROOM_PER_DOMAIN +
					      ROOM_PER_STATE * (size_t)tree->frequencies->n);
	int r = size < sizeof(struct fdt_header) ? -FDT_ERR_TRUNCATED : fdt_check_full(dtb, size);

	if (r < 0)
		return refuse(
			why, -EBADMSG,
			"it is no device tree blob, or a damaged one (%s): dump it with QEMU's "
			"-machine dumpdtb=FILE",
			fdt_strerror(r));
	tree->fdt = malloc(fdt_totalsize(dtb) + room);
	if (!tree->fdt)
		return refuse(why, -ENOMEM, "no memory");
	r = fdt_open_into(dtb, tree->fdt, (int)(fdt_totalsize(dtb) + room));
	return r < 0 ? refuse(why, -EBADMSG, "libfdt can't copy it: %s", fdt_strerror(r)) : 0;
}

static int build(struct tree *tree, const void *dtb, size_t size, const struct reason *why)
{
	int r;

	if (tree->frequencies->khz[0] > DTB_MAX_KHZ)
		return refuse(
			why, -ERANGE,
			"a device tree's fixed-clock has no more than 4.294967GHz: name lower "
			"frequencies");
	r = copy(tree, dtb, size, why);
	if (r == 0)
		r = check_cpus(tree, why);
	if (r < 0)
		return r;
	r = add_all(tree);
	if (r < 0)
		return refuse(why, -EBADMSG, "libfdt can't add to it: %s", fdt_strerror(r));
	if (fdt_totalsize(tree->fdt) > DTB_SIZE_MAX)
		return refuse(why, -EFBIG,
			      "it would be larger than the 2 MiB that Linux takes: name fewer "
			      "frequencies, or --clusters");
	return 0;
}

int dtb_add_frequencies(const void *dtb, size_t size, const struct frequencies *frequencies,
			const struct clusters *clusters, void **ret, size_t *ret_size,
			unsigned *ret_cpus, char *why, size_t why_size)
{
	struct tree tree = {.frequencies = frequencies, .clusters = clusters};
	const struct reason reason = {why, why_size};
	int r = build(&tree, dtb, size, &reason);

	if (r < 0) {
		free(tree.fdt);
		return r;
	}
	*ret = tree.fdt;
	*ret_size = fdt_totalsize(tree.fdt);
	*ret_cpus = tree.n_cpus;
	return 0;
}
