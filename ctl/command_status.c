/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreqctl status, reload: of a daemon as a whole. */
#include <string.h>

#include "common/macro.h"
#include "ctl/call.h"
#include "ctl/command.h"
#include "ctl/status_text.h"

DEFINE_CLEANUP(struct json_object *, json_object_put)

static int fetch_status(char **ret)
{
	_cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const char *json;
	int code = call_open(&bus);

	if (code == 0)
		code = call_method(bus, &daemon_host, "GetStatus", NULL, &reply);
	if (code != 0)
		return code;
	*ret = sd_bus_message_read(reply, "s", &json) < 0 ? NULL : strdup(json);
	return *ret ? 0 : EXIT_REFUSED;
}

static int print_status(const struct options *options)
{
	_cleanup_free_ char *json = NULL;
	_cleanup_(json_object_putp) struct json_object *status = NULL;
	int code = fetch_status(&json);

	if (code != 0)
		return code;
	if (options->json) {
		puts(json);
		return 0;
	}
	status = json_tokener_parse(json);
	if (status_text(status, stdout) >= 0)
		return 0;
	fprintf(stderr, "vmfreqctl: vmfreq-hostd answered with something else: another version?\n");
	return EXIT_REFUSED;
}

int command_status(const struct options *options, _unused_ char *const argv[])
{
	int code = print_status(options);

	while (code == 0 && options->watch_usec > 0) {
		fflush(stdout);
		usleep((useconds_t)options->watch_usec);
		if (!options->json)
			puts("");
		code = print_status(options);
	}
	return code;
}

int command_reload(_unused_ const struct options *options, _unused_ char *const argv[])
{
	_cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
	int code = call_open(&bus);

	return code != 0 ? code : call_method(bus, &daemon_host, "Reload", NULL, NULL);
}
