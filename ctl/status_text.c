/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's status document as a table for people. */
#include "ctl/status_text.h"

#include <stdbool.h>

#include "common/macro.h"

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

/* A member's text, or `missing` if it isn't there or null. */
static const char *text(struct json_object *object, const char *key, const char *missing)
{
	struct json_object *value = member(object, key);

	return value ? json_object_get_string(value) : missing;
}

static int64_t number(struct json_object *object, const char *key)
{
	return json_object_get_int64(member(object, key));
}

static bool flag(struct json_object *object, const char *key)
{
	return json_object_get_boolean(member(object, key));
}

static void print_head(struct json_object *status, FILE *to)
{
	struct json_object *floor = member(status, "floor"),
			   *placement = member(status, "placement");
	struct json_object *libvirt = member(status, "libvirt"),
			   *refused = member(status, "refused");

	fprintf(to, "vmfreq-hostd %s on Linux %s%s\n", text(status, "version", "?"),
		text(status, "kernel", "?"),
		flag(status, "dry_run") ? " -- DRY RUN: nothing is changed" : "");
	fprintf(to, "  floors:    %s -- %s\n", text(floor, "actuator", "?"),
		text(floor, "reason", ""));
	fprintf(to, "  placement: %s -- %s\n", text(placement, "actuator", "?"),
		text(placement, "reason", ""));
	fprintf(to, "  libvirt:   %s\n",
		flag(libvirt, "connected") ? "connected" : text(libvirt, "error", "not connected"));
	fprintf(to, "  settings changed: %lld; connections refused: %lld by CID, %lld by port\n",
		(long long)number(status, "settings_changed"), (long long)number(refused, "cid"),
		(long long)number(refused, "port"));
}

static void print_khz(struct json_object *vcpu, FILE *to)
{
	int64_t khz = number(vcpu, "khz");

	if (khz > 0)
		fprintf(to, " %5lld", (long long)(khz + 500) / 1000);
	else
		fprintf(to, " %5s", "-");
}

static void print_vcpu(struct json_object *vcpu, FILE *to)
{
	fprintf(to, "    %4lld %7s %5lld %5lld %9s %-11s %4s", (long long)number(vcpu, "index"),
		text(vcpu, "thread", "-"), (long long)number(vcpu, "util"),
		(long long)number(vcpu, "floor"), text(vcpu, "floor_effective", "-"),
		text(vcpu, "cpus", "-"), text(vcpu, "host_cpu", "-"));
	print_khz(vcpu, to);
	fprintf(to, "  %s\n", text(vcpu, "reason", ""));
}

/* "  concern: NAME (DETAIL): TEXT", a line each. */
static void print_concerns(struct json_object *object, FILE *to)
{
	struct json_object *concerns = member(object, "concerns");

	if (!json_object_is_type(concerns, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(concerns); i++) {
		struct json_object *concern = json_object_array_get_idx(concerns, i);
		const char *detail = text(concern, "detail", "");

		fprintf(to, "  concern: %s%s%s%s: %s\n", text(concern, "name", "?"),
			*detail ? " (" : "", detail, *detail ? ")" : "", text(concern, "text", ""));
	}
}

static void print_domain(struct json_object *domain, FILE *to)
{
	struct json_object *vcpus = member(domain, "vcpus");

	fprintf(to, "\n%s (id %lld, CID %s)\n", text(domain, "name", "?"),
		(long long)number(domain, "id"), text(domain, "cid", "none"));
	if (flag(domain, "connected"))
		fprintf(to, "  %s, signal %s, guest cpufreq %s, %lld reports%s\n",
			text(domain, "agent", "?"), text(domain, "signal", "?"),
			text(domain, "cpufreq", "?"), (long long)number(domain, "reports"),
			flag(domain, "invariant") ? ", frequency-invariant" : "");
	if (member(domain, "limit") && number(domain, "limit") < 100)
		fprintf(to,
			"  limit: floors of at most %lld%% of the largest CPU, until a reboot\n",
			(long long)number(domain, "limit"));
	if (member(domain, "reason"))
		fprintf(to, "  not acting: %s\n", text(domain, "reason", ""));
	print_concerns(domain, to);
	fprintf(to, "    %4s %7s %5s %5s %9s %-11s %4s %5s\n", "vCPU", "thread", "util", "floor",
		"effective", "CPUs", "on", "MHz");
	for (size_t i = 0; vcpus && i < json_object_array_length(vcpus); i++)
		print_vcpu(json_object_array_get_idx(vcpus, i), to);
}

int status_text(struct json_object *status, FILE *to)
{
	struct json_object *domains = member(status, "domains");

	if (!json_object_is_type(status, json_type_object) ||
	    !json_object_is_type(domains, json_type_array))
		return -EBADMSG;
	print_head(status, to);
	for (size_t i = 0; i < json_object_array_length(domains); i++)
		print_domain(json_object_array_get_idx(domains, i), to);
	if (json_object_array_length(domains) == 0)
		fprintf(to, "\nno domain is running\n");
	return 0;
}
