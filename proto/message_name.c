/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the numbers in messages are called. Pure. */
#include "common/macro.h"
#include "proto/message.h"

static const char *name_of(const char *const *names, size_t n, unsigned i)
{
	return i < n && names[i] ? names[i] : "unknown";
}

const char *message_type_name(unsigned type)
{
	static const char *const names[] = {
		[MESSAGE_HELLO] = "HELLO",	 [MESSAGE_REPORT] = "REPORT",
		[MESSAGE_FEEDBACK] = "FEEDBACK", [MESSAGE_PING] = "PING",
		[MESSAGE_BYE] = "BYE",		 [MESSAGE_NOTICE] = "NOTICE"};

	return name_of(names, ARRAY_SIZE(names), type);
}

const char *bye_code_name(unsigned code)
{
	static const char *const names[] = {[BYE_SHUTDOWN] = "shutdown", [BYE_VERSION] = "version",
					    [BYE_PROTOCOL] = "protocol", [BYE_REFUSED] = "refused",
					    [BYE_REPLACED] = "replaced", [BYE_TIMEOUT] = "timeout",
					    [BYE_FLOOD] = "flood"};

	return name_of(names, ARRAY_SIZE(names), code);
}

const char *hello_signal_name(unsigned signal)
{
	static const char *const names[] = {[SIGNAL_PROC] = "proc", [SIGNAL_EBPF] = "ebpf"};

	return name_of(names, ARRAY_SIZE(names), signal);
}

const char *hello_cpufreq_name(unsigned cpufreq)
{
	static const char *const names[] = {[CPUFREQ_NONE] = "none",
					    [CPUFREQ_OURS] = "ours",
					    [CPUFREQ_FOREIGN] = "foreign",
					    [CPUFREQ_OFF] = "off"};

	return name_of(names, ARRAY_SIZE(names), cpufreq);
}

const char *notice_concern_name(unsigned concern)
{
	static const char *const names[] = {
		[NOTICE_SCHED_EXT] = "sched_ext",
		[NOTICE_VIRT_CPUFREQ] = "virt_cpufreq",
		[NOTICE_GOVERNOR] = "governor",
		[NOTICE_NO_CPUFREQ] = "no_cpufreq",
		[NOTICE_NO_USERSPACE] = "no_userspace_governor",
		[NOTICE_NO_PSI] = "no_psi",
		[NOTICE_NO_SCHEDSTAT] = "no_schedstat",
		[NOTICE_EBPF_NOT_BUILT] = "ebpf_not_built",
		[NOTICE_EBPF_NO_BTF] = "ebpf_no_btf",
		[NOTICE_EBPF_NO_CAPABILITY] = "ebpf_no_capability",
		[NOTICE_EBPF_FORBIDDEN] = "ebpf_forbidden",
		[NOTICE_EBPF_NO_TRACEPOINT] = "ebpf_no_tracepoint",
		[NOTICE_EBPF_NO_MEMORY] = "ebpf_no_memory",
		[NOTICE_EBPF_REJECTED] = "ebpf_rejected",
	};

	return name_of(names, ARRAY_SIZE(names), concern);
}
