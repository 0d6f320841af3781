/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls to vmfreq's daemons over the system bus. */
#include "ctl/call.h"

#include <string.h>

#include "common/macro.h"
#include "ctl/command.h"

/* As long as polkit is given, and a little: somebody may have to find his password. */
#define CALL_USEC (130 * USEC_PER_SEC)

const struct daemon daemon_host = {"vmfreq-hostd", "org.vmfreq.Host1", "/org/vmfreq/Host1",
				   "org.vmfreq.Host1"};

const struct daemon daemon_guest = {"vmfreq-guestd", "org.vmfreq.Guest1", "/org/vmfreq/Guest1",
				    "org.vmfreq.Guest1"};

int call_open(sd_bus **ret)
{
	int r = sd_bus_open_system(ret);

	if (r >= 0)
		return 0;
	fprintf(stderr, "vmfreqctl: the system bus can't be reached: %s\n", strerror(-r));
	return EXIT_REFUSED;
}

bool call_finds(sd_bus *bus, const struct daemon *daemon)
{
	return sd_bus_get_name_creds(bus, daemon->bus_name, 0, NULL) >= 0;
}

/* Says what went wrong. The exit code. */
static int complain(const struct daemon *daemon, const sd_bus_error *error, int r)
{
	const char *message = error->message ?: strerror(-r);

	if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	    sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
		fprintf(stderr, "vmfreqctl: %s isn't running: systemctl start %s\n",
			daemon->program, daemon->program);
		return EXIT_REFUSED;
	}
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED) ||
	    sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED)) {
		fprintf(stderr, "vmfreqctl: not allowed: %s\nRoot may: try it with sudo.\n",
			message);
		return EXIT_NOT_ALLOWED;
	}
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
	    sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
		fprintf(stderr, "vmfreqctl: %s doesn't answer: systemctl status %s\n",
			daemon->program, daemon->program);
	else if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_METHOD))
		fprintf(stderr, "vmfreqctl: %s is of another version, and can't do this: %s\n",
			daemon->program, message);
	else
		fprintf(stderr, "vmfreqctl: %s\n", message);
	return EXIT_REFUSED;
}

int call_send(sd_bus *bus, const struct daemon *daemon, sd_bus_message *call,
	      sd_bus_message **ret_reply)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int code = 0, r;

	r = sd_bus_message_set_allow_interactive_authorization(call, true);
	if (r >= 0)
		r = sd_bus_call(bus, call, CALL_USEC, &error, ret_reply);
	if (r < 0)
		code = complain(daemon, &error, r);
	sd_bus_error_free(&error);
	sd_bus_message_unref(call);
	return code;
}

int call_method(sd_bus *bus, const struct daemon *daemon, const char *method, const char *text,
		sd_bus_message **ret_reply)
{
	sd_bus_message *call = NULL;
	int r = sd_bus_message_new_method_call(bus, &call, daemon->bus_name, daemon->path,
					       daemon->interface, method);

	if (r >= 0 && text)
		r = sd_bus_message_append(call, "s", text);
	if (r >= 0)
		return call_send(bus, daemon, call, ret_reply);
	sd_bus_message_unref(call);
	fprintf(stderr, "vmfreqctl: %s can't be asked: %s\n", daemon->program, strerror(-r));
	return EXIT_REFUSED;
}
