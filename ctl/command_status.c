/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreqctl status, reload: of a daemon as a whole. Of both, where a guest is a host, too. */
#include <string.h>

#include "common/macro.h"
#include "ctl/call.h"
#include "ctl/command.h"
#include "ctl/guest_text.h"
#include "ctl/status_text.h"

DEFINE_CLEANUP(struct json_object *, json_object_put)

static int complain(const struct daemon *daemon)
{
	fprintf(stderr, "vmfreqctl: %s answered with something else: another version?\n",
		daemon->program);
	return EXIT_REFUSED;
}

/* Connects, and looks who is here. 0, or an exit code: also if nobody is. */
static int open_bus(sd_bus **ret, bool *ret_host, bool *ret_guest)
{
	int code = call_open(ret);

	if (code != 0)
		return code;
	*ret_host = call_finds(*ret, &daemon_host);
	*ret_guest = call_finds(*ret, &daemon_guest);
	if (*ret_host || *ret_guest)
		return 0;
	fprintf(stderr, "vmfreqctl: neither vmfreq-hostd nor vmfreq-guestd is running here\n"
			"On a host of VMs: systemctl start vmfreq-hostd\n"
			"In a VM:          systemctl start vmfreq-guestd\n");
	return EXIT_REFUSED;
}

/* 0, or an exit code. */
static int fetch_status(sd_bus *bus, const struct daemon *daemon, struct json_object **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const char *json;
	int code = call_method(bus, daemon, "GetStatus", NULL, &reply);

	if (code != 0)
		return code;
	*ret = sd_bus_message_read(reply, "s", &json) < 0 ? NULL : json_tokener_parse(json);
	return json_object_is_type(*ret, json_type_object) ? 0 : complain(daemon);
}

/* One document, whoever is here: the host's, and in it as "guest" the guest's. */
static void print_json(struct json_object *host, struct json_object *guest)
{
	_cleanup_(json_object_putp) struct json_object *status =
		host ? json_object_get(host) : json_object_new_object();

	if (guest)
		json_object_object_add(status, "guest", json_object_get(guest));
	puts(json_object_to_json_string(status));
}

static int print_text(struct json_object *host, struct json_object *guest)
{
	if (host && status_text(host, stdout) < 0)
		return complain(&daemon_host);
	if (host && guest)
		puts("");
	if (guest && guest_text(guest, stdout) < 0)
		return complain(&daemon_guest);
	return 0;
}

static int print_status(const struct options *options)
{
	_cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
	_cleanup_(json_object_putp) struct json_object *host = NULL, *guest = NULL;
	bool is_host, is_guest;
	int code = open_bus(&bus, &is_host, &is_guest);

	if (code == 0 && is_host)
		code = fetch_status(bus, &daemon_host, &host);
	if (code == 0 && is_guest)
		code = fetch_status(bus, &daemon_guest, &guest);
	if (code != 0)
		return code;
	if (!options->json)
		return print_text(host, guest);
	print_json(host, guest);
	return 0;
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
	bool is_host, is_guest;
	int code = open_bus(&bus, &is_host, &is_guest);

	if (code == 0 && is_host)
		code = call_method(bus, &daemon_host, "Reload", NULL, NULL);
	if (code == 0 && is_guest)
		code = call_method(bus, &daemon_guest, "Reload", NULL, NULL);
	return code;
}
