/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames <-> messages, every field checked. Pure, without allocation. The meaning of each field, for
 * people who write an agent of their own, is in PROTOCOL.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/frame.h"

#define PROTO_MAJOR       0U
#define PROTO_MINOR       4U
#define PROTO_PORT        9213U /* where hostd listens unless told */
#define PROTO_CPUS_MAX    1024U
#define PROTO_TEXT_MAX    200U
#define PROTO_UTIL_MAX    1024U
#define PROTO_LEASE_MAX_MSEC 60000U
#define PROTO_UNKNOWN_U16 0xffffU /* "not known", where a field says that it may be */

enum message_type {
	MESSAGE_UNKNOWN = 0, /* of a newer minor version: skip it */
	MESSAGE_HELLO = 1,
	MESSAGE_REPORT = 2,
	MESSAGE_FEEDBACK = 3,
	MESSAGE_PING = 4,
	MESSAGE_BYE = 5,
	MESSAGE_NOTICE = 6, /* since 0.2 */
};

enum hello_field {
	HELLO_CPUS = 1,      /* guest, required */
	HELLO_SIGNAL = 2,    /* guest, required */
	HELLO_INVARIANT = 3, /* guest, required */
	HELLO_BOOT_ID = 4,   /* guest, required */
	HELLO_AGENT = 5,     /* both, required */
	HELLO_CPUFREQ = 6,   /* guest, required */
	HELLO_LEASE_MAX = 7, /* host, required */
};

enum hello_signal { SIGNAL_PROC = 1, SIGNAL_EBPF = 2 };

/* What guestd can do with the guest's cpufreq. */
enum hello_cpufreq { CPUFREQ_NONE = 0, CPUFREQ_OURS = 1, CPUFREQ_FOREIGN = 2, CPUFREQ_OFF = 3 };

struct hello_cpu {
	uint32_t cpu; /* the guest's CPU number */
	uint64_t id;  /* the APIC id (x86) or MPIDR affinity (arm64); UINT64_MAX if not known */
};

struct message_hello {
	uint8_t major, minor;
	uint32_t fields; /* bit n: enum hello_field n is present */
	enum hello_signal signal;
	enum hello_cpufreq cpufreq;
	bool invariant; /* the guest's load tracking follows frequency */
	uint8_t boot_id[16];
	uint32_t lease_max_msec;
	char agent[PROTO_TEXT_MAX + 1];
	uint16_t n_cpus;
	struct hello_cpu cpu[PROTO_CPUS_MAX]; /* ascending */
};

enum report_psi { PSI_CPU_SOME, PSI_MEMORY_SOME, PSI_MEMORY_FULL, PSI_IO_SOME, PSI_IO_FULL, PSI_N };

/* The CPU did not idle in the sampled window: its demand is at least what is said. */
#define VCPU_SATURATED 0x0001U
#define VCPU_FLAGS     0x0001U

struct report_vcpu {
	uint16_t cpu;        /* the guest's CPU number */
	uint16_t flags;      /* VCPU_* */
	uint16_t util_avg;   /* 0..1024, at the guest's own scale */
	uint16_t util_est;   /* 0..1024 */
	uint16_t freq_scale; /* the scale the guest kernel applied: 1024 is none */
	uint16_t runnable;   /* tasks, or PROTO_UNKNOWN_U16 */
	uint16_t uclamp_min; /* the largest request of a runnable task, 0 if none */
	uint16_t uclamp_max; /* likewise, 1024 if none */
	uint32_t run_delay_usec; /* waited for this CPU since its record before, all tasks */
	uint32_t steal_usec;     /* taken by the host since its record before */
};

struct message_report {
	uint32_t sequence;
	uint64_t stamp_usec;  /* the guest's CLOCK_MONOTONIC at the sample */
	uint16_t lease_msec;  /* how long it holds without another */
	uint16_t psi_fields;  /* bit n: psi_usec[n] is valid */
	uint64_t psi_usec[PSI_N];
	uint16_t n_vcpus;
	uint16_t record_size; /* of one record, at least REPORT_RECORD */
	const uint8_t *records;
};

struct feedback_vcpu {
	uint16_t cpu;
	uint16_t capacity;     /* of the host CPU at its highest frequency, 1..1024 */
	uint32_t freq_khz;     /* what it runs at; 0 if not known */
	uint32_t freq_max_khz; /* its highest; 0 if not known */
};

struct message_feedback {
	uint32_t sequence;
	uint16_t n_vcpus;
	uint16_t record_size; /* at least FEEDBACK_RECORD */
	const uint8_t *records;
};

/* The host has no use for reports, until a PING says otherwise; since 0.4. */
#define PING_NO_REPORTS 0x0001U

struct message_ping {
	uint64_t stamp_usec;
	bool has_flags; /* else nothing is said of them */
	uint32_t flags; /* PING_* */
};

enum bye_code {
	BYE_SHUTDOWN = 1,  /* the sender stops */
	BYE_VERSION = 2,   /* another major version */
	BYE_PROTOCOL = 3,  /* something that PROTOCOL.md doesn't allow */
	BYE_REFUSED = 4,   /* no domain has this CID, or the source port is 1024 or more */
	BYE_REPLACED = 5,  /* a newer connection of the same guest */
	BYE_TIMEOUT = 6,   /* too slow, or silent for too long */
	BYE_FLOOD = 7,     /* too many frames */
};

struct message_bye {
	uint16_t code;
	char text[PROTO_TEXT_MAX + 1]; /* printable ASCII */
};

/* What a guest may say of itself that makes its signal mislead or less than it could be, or its
 * cpufreq useless: numbers of bits, as they go over the wire. */
enum notice_concern {
	NOTICE_SCHED_EXT = 0,	 /* a sched_ext scheduler runs its tasks */
	NOTICE_VIRT_CPUFREQ = 1, /* its cpufreq driver tells the VMM what it wants (virt-cpufreq) */
	NOTICE_GOVERNOR = 2,	 /* somebody else has chosen a governor */
	NOTICE_NO_CPUFREQ = 3,	 /* it has no cpufreq at all */
	NOTICE_NO_USERSPACE = 4, /* it has no userspace governor, or refuses it */
	NOTICE_NO_PSI = 5,	 /* no /proc/pressure */
	NOTICE_NO_SCHEDSTAT = 6, /* no /proc/schedstat, or one that isn't understood */
	/* Why it isn't the eBPF signal, though the guest's settings allow it; since 0.3. */
	NOTICE_EBPF_NOT_BUILT = 7,
	NOTICE_EBPF_NO_BTF = 8,
	NOTICE_EBPF_NO_CAPABILITY = 9,
	NOTICE_EBPF_FORBIDDEN = 10, /* by seccomp, lockdown or a container */
	NOTICE_EBPF_NO_TRACEPOINT = 11,
	NOTICE_EBPF_NO_MEMORY = 12,
	NOTICE_EBPF_REJECTED = 13, /* by the kernel's verifier, or for lack of a field */
};

#define NOTICE_KNOWN     0x3fffU /* bits of it, */
#define NOTICE_KNOWN_0_2 0x7fU	 /* and those that version 0.2 has */

enum notice_field {
	NOTICE_FIELD_CONCERNS = 1,  /* required */
	NOTICE_FIELD_SCHEDULER = 2, /* with NOTICE_SCHED_EXT, if its name is known */
};

/* All that a guest has to say of itself now: it replaces the notice before. */
struct message_notice {
	uint32_t concerns; /* bit n: enum notice_concern n */
	char scheduler[PROTO_TEXT_MAX + 1]; /* printable ASCII; "": not known */
};

struct message {
	enum message_type type;
	union {
		struct message_report report;
		struct message_feedback feedback;
		struct message_ping ping;
		struct message_bye bye;
		struct message_notice notice;
	};
};

#define REPORT_FIXED    64U
#define REPORT_RECORD   24U
#define FEEDBACK_FIXED  8U
#define FEEDBACK_RECORD 12U
#define NOTICE_FRAME_MAX   (FRAME_HEADER + 4 + 4 + 4 + PROTO_TEXT_MAX)
#define REPORT_FRAME_MAX   (FRAME_HEADER + REPORT_FIXED + PROTO_CPUS_MAX * REPORT_RECORD)
#define FEEDBACK_FRAME_MAX (FRAME_HEADER + FEEDBACK_FIXED + PROTO_CPUS_MAX * FEEDBACK_RECORD)

/* Reads any frame but a HELLO. Of a newer peer's NOTICE only the concerns that are known here are
 * kept. peer_minor is what the peer's HELLO said. -EBADMSG if it isn't as
 * PROTOCOL.md says: nothing of it may be used. A report's or feedback's records have been checked
 * when this returns 0, so the two functions below can't fail. They point into the frame. */
int message_parse(const struct frame *frame, uint8_t peer_minor, struct message *ret);

/* Record i, below n_vcpus. */
void report_vcpu(const struct message_report *report, unsigned i, struct report_vcpu *ret);
void feedback_vcpu(const struct message_feedback *feedback, unsigned i, struct feedback_vcpu *ret);

/* What a CPU delivers, 1..1024: capacity x frequency / highest frequency, the capacity alone while the
 * frequency isn't known. */
uint16_t feedback_delivered1024(const struct feedback_vcpu *vcpu);

/* Reads the first frame of a connection. -EPROTONOSUPPORT: another major version (only major and
 * minor are set); -EBADMSG: no HELLO, or a field that is wrong, doubled or unknown to its version. */
int hello_parse(const struct frame *frame, struct message_hello *ret);

/* Whether the fields that a guest, or a host, has to send are there. */
bool hello_is_of_guest(const struct message_hello *hello);
bool hello_is_of_host(const struct message_hello *hello);

/* Each writes a whole frame into buffer and returns its length, or -ENOBUFS. The values must keep
 * to what message_parse() accepts. Of a hello, the fields named in ->fields are written. */
int hello_put(uint8_t *buffer, size_t size, const struct message_hello *hello);
int report_put(uint8_t *buffer, size_t size, const struct message_report *report,
	       const struct report_vcpu *vcpus);
int feedback_put(uint8_t *buffer, size_t size, uint32_t sequence, const struct feedback_vcpu *vcpus,
		 unsigned n_vcpus);
int ping_put(uint8_t *buffer, size_t size, uint64_t stamp_usec);
int ping_put_flags(uint8_t *buffer, size_t size, uint64_t stamp_usec, uint32_t flags);
int bye_put(uint8_t *buffer, size_t size, enum bye_code code, const char *text);
int notice_put(uint8_t *buffer, size_t size, const struct message_notice *notice);

/* The name of a type, code or signal, for people. Never NULL. */
const char *message_type_name(unsigned type);
const char *bye_code_name(unsigned code);
const char *hello_signal_name(unsigned signal);
const char *hello_cpufreq_name(unsigned cpufreq);
const char *notice_concern_name(unsigned concern);
