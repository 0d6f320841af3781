/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreqctl release, resume, limit: of one domain. */
#include <string.h>
#include <sysexits.h>

#include "common/macro.h"
#include "common/parse.h"
#include "ctl/call.h"
#include "ctl/command.h"

#define NO_LIMIT 100U

/* By UUID if it is one, by name otherwise: then hostd says what is wrong. 0, or an exit code. */
static int find_domain(sd_bus *bus, const char *domain, char **ret_path)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	const char *path = NULL;
	int code, r;

	r = sd_bus_call_method(bus, daemon_host.bus_name, daemon_host.path, daemon_host.interface,
			       "GetDomainByUUID", &error, &reply, "s", domain);
	sd_bus_error_free(&error);
	if (r < 0) {
		code = call_method(bus, &daemon_host, "GetDomainByName", domain, &reply);
		if (code != 0)
			return code;
	}
	if (sd_bus_message_read(reply, "o", &path) >= 0)
		*ret_path = strdup(path);
	return *ret_path ? 0 : EXIT_REFUSED;
}

/* Calls a method of the domain's object; percent goes with it if it isn't NULL. */
static int call_domain(const char *domain, const char *method, const uint32_t *percent)
{
	_cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
	_cleanup_free_ char *path = NULL;
	sd_bus_message *call = NULL;
	int code = call_open(&bus), r;

	if (code == 0)
		code = find_domain(bus, domain, &path);
	if (code != 0)
		return code;
	r = sd_bus_message_new_method_call(bus, &call, daemon_host.bus_name, path,
					   "org.vmfreq.Host1.Domain", method);
	if (r >= 0 && percent)
		r = sd_bus_message_append(call, "u", *percent);
	if (r >= 0)
		return call_send(bus, &daemon_host, call, NULL);
	sd_bus_message_unref(call);
	fprintf(stderr, "vmfreqctl: vmfreq-hostd can't be asked: %s\n", strerror(-r));
	return EXIT_REFUSED;
}

int command_release(_unused_ const struct options *options, char *const argv[])
{
	return call_domain(argv[0], "Release", NULL);
}

int command_resume(_unused_ const struct options *options, char *const argv[])
{
	return call_domain(argv[0], "Resume", NULL);
}

/* "50%". -EINVAL or -ERANGE. */
static int parse_percent(const char *text, uint32_t *ret)
{
	char number[8];
	size_t n = strlen(text);
	uint64_t percent;
	int r;

	if (n < 2 || n > sizeof(number) || text[n - 1] != '%')
		return -EINVAL;
	memcpy(number, text, n - 1);
	number[n - 1] = '\0';
	r = parse_u64_max(number, NO_LIMIT, &percent);
	if (r >= 0)
		*ret = (uint32_t)percent;
	return r;
}

int command_limit(_unused_ const struct options *options, char *const argv[])
{
	uint32_t percent;

	if (strcmp(argv[1], "none") == 0)
		return call_domain(argv[0], "ClearLimit", NULL);
	if (parse_percent(argv[1], &percent) < 0) {
		fprintf(stderr,
			"vmfreqctl: '%s' is no limit: use 0%% to 100%% of the largest CPU, or "
			"none\n",
			argv[1]);
		return EX_USAGE;
	}
	return call_domain(argv[0], "SetLimit", &percent);
}
