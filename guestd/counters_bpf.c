/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: the eBPF programs of pelt.bpf.c, their mapped records and the ring that wakes us. */
#include "guestd/counters_bpf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/macro.h"
#include "guestd/pelt.skel.h"

#define BTF_PATH   "/sys/kernel/btf/vmlinux" /* where libbpf looks, too */
#define RING_ENTRY 16U			     /* a header, and an event */
#define RING_MIN   4096U

struct counters_bpf {
	struct pelt_bpf *skeleton;
	struct ring_buffer *ring;
	struct pelt_record *records; /* mapped */
	unsigned n_cpus;
	struct cpumask rang; /* filled by take_event() */
};

static size_t records_size(unsigned n_cpus)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n_cpus * sizeof(struct pelt_record) + page - 1) / page * page;
}

static bool has_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	uint64_t effective;

	if (syscall(SYS_capget, &header, data) < 0)
		return true; /* then the kernel shall say so itself */
	effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	if (effective & UINT64_C(1) << CAP_SYS_ADMIN)
		return true;
	return effective & UINT64_C(1) << CAP_BPF && effective & UINT64_C(1) << CAP_PERFMON;
}

/* libbpf passes its level as an enum. */
static int (*print_to)(int level, const char *format, va_list arguments);

static int print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return print_to ? print_to((int)level, format, arguments) : 0;
}

static int take_event(void *userdata, void *data, _unused_ size_t size)
{
	struct counters_bpf *bpf = userdata;
	const struct pelt_event *event = data;

	cpumask_set(&bpf->rang, event->cpu);
	return 0;
}

/* Room for an event of each CPU, and one more of each that comes while another is taken. */
static uint32_t ring_size(unsigned n_cpus)
{
	uint32_t size = RING_MIN;

	while (size < n_cpus * 2 * RING_ENTRY)
		size *= 2;
	return size; /* libbpf makes pages of it */
}

static int load(struct counters_bpf *bpf, const struct counters_bpf_options *options)
{
	int r = libbpf_num_possible_cpus();

	if (r < 0)
		return r;
	bpf->n_cpus = MIN((unsigned)r, CPUMASK_CPUS);
	bpf->skeleton = pelt_bpf__open();
	if (!bpf->skeleton)
		return -errno;
	r = bpf_map__set_max_entries(bpf->skeleton->maps.pelt_records, bpf->n_cpus);
	if (r < 0)
		return r;
	r = bpf_map__set_max_entries(bpf->skeleton->maps.pelt_events, ring_size(bpf->n_cpus));
	if (r < 0)
		return r;
	bpf_program__set_autoload(bpf->skeleton->progs.on_util_est, options->prompt);
	bpf->skeleton->bss->pelt_step = options->step;
	bpf->skeleton->bss->pelt_self.pid = getpid();
	return pelt_bpf__load(bpf->skeleton);
}

static int map_and_attach(struct counters_bpf *bpf)
{
	struct pelt_record *records;

	records = mmap(NULL, records_size(bpf->n_cpus), PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(bpf->skeleton->maps.pelt_records), 0);
	if (records == MAP_FAILED)
		return -errno;
	bpf->records = records;
	bpf->ring = ring_buffer__new(bpf_map__fd(bpf->skeleton->maps.pelt_events), take_event, bpf,
				     NULL);
	if (!bpf->ring)
		return -errno;
	return pelt_bpf__attach(bpf->skeleton);
}

/* libbpf 1.1 looks for a tracepoint that vmlinux lacks in the modules, and without CAP_SYS_ADMIN
 * says EPERM for it. */
static bool has_tracepoints(void)
{
	struct btf *btf = btf__parse(BTF_PATH, NULL);
	bool found =
		!btf || btf__find_by_name_kind(btf, "btf_trace_pelt_cfs_tp", BTF_KIND_TYPEDEF) >= 0;

	btf__free(btf);
	return found;
}

DEFINE_CLEANUP(struct counters_bpf *, counters_bpf_close)

static int open_quietly(const struct counters_bpf_options *options, struct counters_bpf **ret)
{
	_cleanup_(counters_bpf_closep) struct counters_bpf *bpf = calloc(1, sizeof(*bpf));
	int r;

	if (!bpf)
		return -ENOMEM;
	r = load(bpf, options);
	if (r < 0)
		return r;
	r = map_and_attach(bpf);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bpf);
	return 0;
}

int counters_bpf_open(const struct counters_bpf_options *options, struct counters_bpf **ret,
		      enum counters_bpf_lack *ret_lack)
{
	enum counters_bpf_stage stage = COUNTERS_BPF_LOAD;
	libbpf_print_fn_t before;
	int r;

	if (access(BTF_PATH, R_OK) < 0) {
		stage = COUNTERS_BPF_BTF;
		r = -ENOENT;
	} else if (!has_capabilities()) {
		stage = COUNTERS_BPF_CAPABILITY;
		r = -EPERM;
	} else {
		print_to = options->print;
		before = libbpf_set_print(print);
		r = open_quietly(options, ret);
		if (r == -EPERM && !has_tracepoints())
			r = -ESRCH;
		libbpf_set_print(before);
		/* The kernel's BTF was on the heap. */
		malloc_trim(0);
	}
	*ret_lack = counters_bpf_lack_of(stage, r);
	return r;
}

void counters_bpf_close(struct counters_bpf *bpf)
{
	if (!bpf)
		return;
	if (bpf->skeleton)
		pelt_bpf__detach(bpf->skeleton);
	ring_buffer__free(bpf->ring);
	if (bpf->records)
		munmap(bpf->records, records_size(bpf->n_cpus));
	pelt_bpf__destroy(bpf->skeleton);
	free(bpf);
}

int counters_bpf_fd(const struct counters_bpf *bpf)
{
	/* The map's own, not that of the epoll which libbpf would put between. */
	return bpf_map__fd(bpf->skeleton->maps.pelt_events);
}

int counters_bpf_drain(struct counters_bpf *bpf, struct cpumask *ret)
{
	int r;

	cpumask_clear(&bpf->rang);
	r = ring_buffer__consume(bpf->ring);
	if (r < 0)
		return r;
	*ret = bpf->rang;
	return r;
}

unsigned counters_bpf_n_cpus(const struct counters_bpf *bpf)
{
	return bpf->n_cpus;
}

int counters_bpf_read(const struct counters_bpf *bpf, unsigned cpu, uint64_t now_nsec,
		      struct pelt_record *ret)
{
	struct pelt_record record;
	int r;

	if (cpu >= bpf->n_cpus)
		return -ENOENT;
	r = pelt_record_read(&bpf->records[cpu], &record);
	if (r < 0)
		return r;
	pelt_record_settle(&record, now_nsec);
	*ret = record;
	return 0;
}

bool counters_bpf_sent(struct counters_bpf *bpf, unsigned cpu, uint16_t wanted1024,
		       uint64_t now_nsec)
{
	struct pelt_record record;

	if (cpu >= bpf->n_cpus)
		return false;
	pelt_record_sent(&bpf->records[cpu], wanted1024);
	/* What came before the programs saw this can't have rung. */
	if (counters_bpf_read(bpf, cpu, now_nsec, &record) < 0)
		return false;
	return pelt_step_is_off(&bpf->skeleton->bss->pelt_step, &record,
				pelt_step_wanted(&record)) != PELT_EVENT_NONE;
}

void counters_bpf_configure(struct counters_bpf *bpf, const struct pelt_step *step)
{
	bpf->skeleton->bss->pelt_step = *step;
}

const char *counters_bpf_program(const struct counters_bpf *bpf, unsigned n, int *ret_fd)
{
	struct bpf_program *program;

	*ret_fd = -EBADF;
	bpf_object__for_each_program(program, bpf->skeleton->obj)
	{
		int fd = bpf_program__fd(program);

		if (n-- > 0)
			continue;
		*ret_fd = fd >= 0 ? fd : -EBADF;
		return bpf_program__name(program);
	}
	return NULL;
}
