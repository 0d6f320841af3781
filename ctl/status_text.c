/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's status document as a table for people. */
#include "ctl/status_text.h"

#include "common/macro.h"
#include "ctl/json_text.h"

/* In CPUs of the largest class; what isn't bounded isn't of interest. */
static void print_budget(struct json_object *status, FILE *to)
{
	struct json_object *budget = json_member(status, "budget");
	int64_t limit = json_number(budget, "limit");

	if (limit > 0)
		fprintf(to,
			"  budget:    %lld%% of one CPU for all floors; %lld%% are asked for, "
			"%lld%% given\n",
			(long long)limit * 100 / 1024,
			(long long)json_number(budget, "wants") * 100 / 1024,
			(long long)json_number(budget, "gets") * 100 / 1024);
}

static void print_head(struct json_object *status, FILE *to)
{
	struct json_object *floor = json_member(status, "floor"),
			   *placement = json_member(status, "placement");
	struct json_object *libvirt = json_member(status, "libvirt"),
			   *refused = json_member(status, "refused");

	fprintf(to, "vmfreq-hostd %s on Linux %s%s\n", json_text(status, "version", "?"),
		json_text(status, "kernel", "?"),
		json_flag(status, "dry_run") ? " -- DRY RUN: nothing is changed" : "");
	fprintf(to, "  floors:    %s -- %s\n", json_text(floor, "actuator", "?"),
		json_text(floor, "reason", ""));
	fprintf(to, "  placement: %s -- %s\n", json_text(placement, "actuator", "?"),
		json_text(placement, "reason", ""));
	fprintf(to, "  libvirt:   %s\n",
		json_flag(libvirt, "connected") ? "connected"
						: json_text(libvirt, "error", "not connected"));
	print_budget(status, to);
	json_print_concerns(status, to);
	fprintf(to, "  settings changed: %lld; connections refused: %lld by CID, %lld by port\n",
		(long long)json_number(status, "settings_changed"),
		(long long)json_number(refused, "cid"), (long long)json_number(refused, "port"));
}

static void print_khz(struct json_object *vcpu, FILE *to)
{
	int64_t khz = json_number(vcpu, "khz");

	if (khz > 0)
		fprintf(to, " %5lld", (long long)(khz + 500) / 1000);
	else
		fprintf(to, " %5s", "-");
}

static void print_vcpu(struct json_object *vcpu, FILE *to)
{
	fprintf(to, "    %4lld %7s %5lld %5lld %7s %9s %-11s %4s",
		(long long)json_number(vcpu, "index"), json_text(vcpu, "thread", "-"),
		(long long)json_number(vcpu, "util"), (long long)json_number(vcpu, "floor"),
		json_text(vcpu, "ceiling", "-"), json_text(vcpu, "floor_effective", "-"),
		json_text(vcpu, "cpus", "-"), json_text(vcpu, "host_cpu", "-"));
	print_khz(vcpu, to);
	fprintf(to, "  %s\n", json_text(vcpu, "reason", ""));
}

/* Where a key of its entitlement is from, if a section says it. */
static void print_section(struct json_object *entitlement, const char *key, FILE *to)
{
	const char *pattern = json_text(json_member(entitlement, "sections"), key, NULL);

	if (pattern)
		fprintf(to, " by [domain %s]", pattern);
}

static void print_switch(struct json_object *entitlement, const char *key, FILE *to)
{
	if (json_flag(entitlement, key))
		return;
	fprintf(to, ", no %s", key);
	print_section(entitlement, key, to);
}

static void print_entitlement(struct json_object *domain, FILE *to)
{
	struct json_object *entitlement = json_member(domain, "entitlement");

	if (!entitlement)
		return; /* an older hostd */
	fprintf(to, "  goal %s", json_text(entitlement, "goal", "?"));
	print_section(entitlement, "goal", to);
	fprintf(to, ", floors of at most %lld%%",
		(long long)(json_number(entitlement, "floor_max") * 100 + CAPACITY_SCALE / 2) /
			CAPACITY_SCALE);
	print_section(entitlement, "floor_max", to);
	fprintf(to, ", weight %lld", (long long)json_number(entitlement, "weight"));
	print_section(entitlement, "weight", to);
	print_switch(entitlement, "placement", to);
	print_switch(entitlement, "feedback", to);
	fputc('\n', to);
}

static void print_domain(struct json_object *domain, FILE *to)
{
	struct json_object *vcpus = json_member(domain, "vcpus");

	fprintf(to, "\n%s (id %lld, CID %s)\n", json_text(domain, "name", "?"),
		(long long)json_number(domain, "id"), json_text(domain, "cid", "none"));
	if (json_flag(domain, "connected"))
		fprintf(to, "  %s, signal %s, guest cpufreq %s, %lld reports%s\n",
			json_text(domain, "agent", "?"), json_text(domain, "signal", "?"),
			json_text(domain, "cpufreq", "?"),
			(long long)json_number(domain, "reports"),
			json_flag(domain, "invariant") ? ", frequency-invariant" : "");
	print_entitlement(domain, to);
	if (json_member(domain, "limit") && json_number(domain, "limit") < 100)
		fprintf(to,
			"  limit: floors of at most %lld%% of the largest CPU, until a reboot\n",
			(long long)json_number(domain, "limit"));
	if (json_member(domain, "reason"))
		fprintf(to, "  not acting: %s\n", json_text(domain, "reason", ""));
	json_print_concerns(domain, to);
	fprintf(to, "    %4s %7s %5s %5s %7s %9s %-11s %4s %5s\n", "vCPU", "thread", "util",
		"floor", "ceiling", "effective", "CPUs", "on", "MHz");
	for (size_t i = 0; vcpus && i < json_object_array_length(vcpus); i++)
		print_vcpu(json_object_array_get_idx(vcpus, i), to);
}

int status_text(struct json_object *status, FILE *to)
{
	struct json_object *domains = json_member(status, "domains");

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
