/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd's status document as a table for people. */
#include "ctl/guest_text.h"

#include "common/macro.h"
#include "ctl/json_text.h"

static void print_head(struct json_object *status, FILE *to)
{
	fprintf(to, "vmfreq-guestd %s%s\n", json_text(status, "version", "?"),
		json_flag(status, "dry_run") ? " -- DRY RUN: cpufreq is left alone" : "");
	fprintf(to, "  host:      %s\n", json_text(status, "connection", "?"));
	fprintf(to, "  signal:    %s -- %s; %lld reports sent, %lld feedbacks received\n",
		json_text(status, "signal", "?"), json_text(status, "signal_reason", ""),
		(long long)json_number(status, "reports"),
		(long long)json_number(status, "feedbacks"));
	fprintf(to, "  cpufreq:   %s -- %s\n", json_text(status, "cpufreq", "?"),
		json_text(status, "cpufreq_reason", ""));
	if (*json_text(status, "config_error", ""))
		fprintf(to, "  not reloaded: %s\n", json_text(status, "config_error", ""));
	json_print_concerns(status, to);
}

static void print_cpu(struct json_object *cpu, FILE *to)
{
	int64_t khz = json_number(cpu, "khz");

	fprintf(to, "    %4lld %8lld %8lld %9s", (long long)json_number(cpu, "cpu"),
		(long long)json_number(cpu, "util_avg"), (long long)json_number(cpu, "util_est"),
		json_text(cpu, "delivered", "-"));
	if (khz > 0)
		fprintf(to, " %5lld\n", (long long)(khz + 500) / 1000);
	else
		fprintf(to, " %5s\n", "-");
}

int guest_text(struct json_object *status, FILE *to)
{
	struct json_object *cpus = json_member(status, "cpus");

	if (!json_object_is_type(status, json_type_object) ||
	    !json_object_is_type(cpus, json_type_array))
		return -EBADMSG;
	print_head(status, to);
	fprintf(to, "    %4s %8s %8s %9s %5s\n", "CPU", "util_avg", "util_est", "delivered", "MHz");
	for (size_t i = 0; i < json_object_array_length(cpus); i++)
		print_cpu(json_object_array_get_idx(cpus, i), to);
	return 0;
}
