/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The [host] section of /etc/vmfreq.conf. */
#include "hostd/host_config.h"

#include <string.h>

#include "common/macro.h"
#include "proto/message.h"

static const char *const actuator_names[] = {
	[ACTUATOR_AUTO] = "auto", [ACTUATOR_THREAD] = "thread",
	[ACTUATOR_CGROUP] = "cgroup", [ACTUATOR_OFF] = "off", NULL};
static const char *const placement_names[] = {
	[PLACE_AUTO] = "auto", [PLACE_CGROUP] = "cgroup",
	[PLACE_AFFINITY] = "affinity", [PLACE_OFF] = "off", NULL};

static const char *check_core_classes(const char *value)
{
	struct core_class classes[PLACEMENT_CLASSES_MAX];
	unsigned n;

	return core_classes_parse(value, classes, &n) < 0
		       ? "a list of core classes, the smallest first, such as '0-3 < 4-7', each CPU in one"
		       : NULL;
}

static const char *check_uri(const char *value)
{
	return strstr(value, ":///") ? NULL : "a libvirt URI of this host, such as qemu:///system";
}

#define HOST(name, type_, field_, ...)                                                             \
	{                                                                                          \
		.section = "host", .key = name, .type = type_,                                     \
		.offset = offsetof(struct host_config, field_), __VA_ARGS__                        \
	}

const struct config_key host_config_keys[] = {
	HOST("uri", CONFIG_STRING, uri, .fallback = "qemu:///system", .check = check_uri,
	     .help = "the libvirt to ask, read-only"),
	HOST("port", CONFIG_UINT, port, .fallback = "9213", .min = 1, .max = UINT32_MAX - 1,
	     .help = "the vsock port to listen on"),
	HOST("allow-unprivileged-ports", CONFIG_BOOL, any_port, .fallback = "no",
	     .help = "hear guests whose source port is 1024 or more: anybody in the guest"),
	HOST("actuator", CONFIG_ENUM, actuator, .fallback = "auto", .names = actuator_names,
	     .help = "how floors are set: by thread, by cgroup, or not"),
	HOST("floor-max", CONFIG_PERCENT, floor_max, .fallback = "100%", .min = 0, .max = 1024,
	     .help = "no floor is above this part of the largest CPU"),
	HOST("floor-step", CONFIG_PERCENT, floor_step, .fallback = "5%", .min = 1, .max = 512,
	     .help = "floors are multiples of this: larger means fewer writes"),
	HOST("floor-hold", CONFIG_USEC, floor_hold_usec, .fallback = "100ms", .min = 0,
	     .max = 60 * USEC_PER_SEC, .help = "how long a floor stays after the demand has gone"),
	HOST("floor-half-life", CONFIG_USEC, floor_half_life_usec, .fallback = "50ms",
	     .min = USEC_PER_MSEC, .max = 60 * USEC_PER_SEC,
	     .help = "then it falls half the way in this time"),
	HOST("write-interval", CONFIG_USEC, write_interval_usec, .fallback = "4ms", .min = 0,
	     .max = USEC_PER_SEC, .help = "a vCPU's floor is written at most once in this time"),
	HOST("placement", CONFIG_ENUM, placement, .fallback = "auto", .names = placement_names,
	     .help = "how vCPUs are put on classes of cores: by cgroup, by affinity, or not"),
	HOST("core-classes", CONFIG_STRING, core_classes, .fallback = "",
	     .check = check_core_classes,
	     .help = "the classes, the smallest first; empty: as the kernel's cpu_capacity says"),
	HOST("placement-dwell", CONFIG_USEC, placement_dwell_usec, .fallback = "500ms", .min = 0,
	     .max = 60 * USEC_PER_SEC,
	     .help = "a smaller class must have sufficed for this long"),
	HOST("lease-max", CONFIG_USEC, lease_max_usec, .fallback = "1s",
	     .min = 10 * USEC_PER_MSEC, .max = PROTO_LEASE_MAX_MSEC * USEC_PER_MSEC,
	     .help = "no report holds for longer without another"),
	HOST("report-rate", CONFIG_UINT, report_rate, .fallback = "1000", .min = 10, .max = 100000,
	     .help = "frames a second that are read of one guest, on average"),
	HOST("feedback", CONFIG_BOOL, feedback, .fallback = "yes",
	     .help = "tell guests what frequency and capacity they get"),
	HOST("feedback-interval", CONFIG_USEC, feedback_interval_usec, .fallback = "50ms",
	     .min = 5 * USEC_PER_MSEC, .max = 10 * USEC_PER_SEC,
	     .help = "how often that is looked at while a guest is busy"),
};

const size_t host_config_n_keys = ARRAY_SIZE(host_config_keys);

/* One class at *text, up to the next '<' or the end. */
static int take_class(char *text, struct core_class *ret)
{
	size_t length;

	text += strspn(text, " \t");
	length = strcspn(text, " \t");
	if (text[length + strspn(text + length, " \t")] != '\0')
		return -EINVAL; /* more than one word */
	text[length] = '\0';
	if (cpumask_parse(text, &ret->cpus) < 0 || cpumask_is_empty(&ret->cpus))
		return -EINVAL;
	return 0;
}

int core_classes_parse(const char *text, struct core_class ret[PLACEMENT_CLASSES_MAX],
		       unsigned *ret_n)
{
	struct core_class classes[PLACEMENT_CLASSES_MAX];
	char copy[CONFIG_STRING_MAX], *rest = copy, *word;
	struct cpumask seen = {}, both;
	unsigned n = 0;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	if (strspn(copy, " \t") == strlen(copy)) {
		*ret_n = 0;
		return 0;
	}
	while ((word = strsep(&rest, "<"))) {
		if (n == PLACEMENT_CLASSES_MAX || take_class(word, &classes[n]) < 0)
			return -EINVAL;
		cpumask_and(&both, &seen, &classes[n].cpus);
		if (!cpumask_is_empty(&both))
			return -EINVAL;
		cpumask_or(&seen, &seen, &classes[n].cpus);
		n++;
	}
	for (unsigned i = 0; i < n; i++) {
		classes[i].capacity1024 = (uint16_t)(CAPACITY_SCALE * (i + 1) / n);
		ret[i] = classes[i];
	}
	*ret_n = n;
	return 0;
}
