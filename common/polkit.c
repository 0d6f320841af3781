/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may call a method: root always, everybody else if polkit says so. */
#include "common/polkit.h"

#include <stdbool.h>
#include <string.h>

#include "common/macro.h"

#define POLKIT_NAME	 "org.freedesktop.PolicyKit1"
#define POLKIT_PATH	 "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

#define BUS_DAEMON	"org.freedesktop.DBus"
#define BUS_DAEMON_PATH "/org/freedesktop/DBus"

#define ALLOW_USER_INTERACTION 1U
#define DIALOG_USEC	       (120 * USEC_PER_SEC) /* for a password to be found and typed */

/* A call that waits for its answer, or whose answer waits for it to be handled again. */
struct query {
	struct polkit *polkit;
	sd_bus_message *call;
	char *action;
	sd_bus_message *question; /* for polkit, once the bus daemon has said that it isn't root */
	sd_bus_slot *reply_slot;  /* of what is being asked now */
	sd_bus_slot *gone_slot;	  /* the caller leaves the bus */
	char cancellation_id[32]; /* empty: polkit isn't asked, or not any more */
	bool answered;
	int verdict; /* 1, or -errno with error */
	sd_bus_error error;
	struct query *next;
};

struct polkit {
	struct query *queries;
	unsigned n_asking; /* of them, those at polkit */
	unsigned sequence;
};

/* Polkit is no longer waited for. */
static void stop_asking(struct query *query)
{
	query->reply_slot = sd_bus_slot_unref(query->reply_slot);
	query->question = sd_bus_message_unref(query->question);
	if (query->cancellation_id[0] != '\0')
		query->polkit->n_asking--;
	query->cancellation_id[0] = '\0';
}

static void query_free(struct query *query)
{
	for (struct query **p = &query->polkit->queries; *p; p = &(*p)->next)
		if (*p == query) {
			*p = query->next;
			break;
		}
	stop_asking(query);
	sd_bus_slot_unref(query->gone_slot);
	sd_bus_message_unref(query->call);
	sd_bus_error_free(&query->error);
	free(query->action);
	free(query);
}

/* Has the call handled again, which will find the verdict here. It goes the whole way through the
 * bus, so that an object which has left meanwhile isn't found. */
static int settle(struct query *query, int verdict)
{
	int r;

	stop_asking(query);
	query->answered = true;
	query->verdict = verdict;
	r = sd_bus_message_rewind(query->call, true);
	if (r >= 0)
		r = sd_bus_enqueue_for_read(sd_bus_message_get_bus(query->call), query->call);
	if (r < 0) { /* no memory: the caller's call times out, and nothing was done */
		query_free(query);
		return r;
	}
	return 1;
}

/* What polkit said: (bba{ss}), is authorized, could be with a dialog, details. */
static int on_polkit(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error)
{
	struct query *query = userdata;
	const sd_bus_error *failure = sd_bus_message_get_error(reply);
	int authorized = false, challenge = false, r = 0;

	if (failure && (sd_bus_error_has_name(failure, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
			sd_bus_error_has_name(failure, SD_BUS_ERROR_NAME_HAS_NO_OWNER))) {
		sd_bus_error_setf(&query->error, SD_BUS_ERROR_ACCESS_DENIED,
				  "only root may do this, since polkit isn't there to be asked "
				  "about %s",
				  query->action);
		return settle(query, -EACCES);
	}
	if (!failure) {
		r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
		if (r >= 0)
			r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
	}
	if (failure || r < 0)
		sd_bus_error_setf(&query->error, SD_BUS_ERROR_ACCESS_DENIED,
				  "polkit gave no answer about %s: %s", query->action,
				  failure ? failure->message ?: failure->name : strerror(-r));
	else if (!authorized && challenge)
		sd_bus_error_setf(&query->error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
				  "polkit wants a password for %s", query->action);
	else if (!authorized)
		sd_bus_error_setf(&query->error, SD_BUS_ERROR_ACCESS_DENIED, "polkit says no to %s",
				  query->action);
	return settle(query, authorized ? 1 : -EACCES);
}

static int ask_polkit(struct query *query)
{
	struct polkit *polkit = query->polkit;
	bool dialog = sd_bus_message_get_allow_interactive_authorization(query->call) > 0;
	int r;

	if (polkit->n_asking >= POLKIT_WAITING_MAX) {
		sd_bus_error_set(&query->error, SD_BUS_ERROR_LIMITS_EXCEEDED,
				 "too many callers wait for polkit's answer: try again later");
		return settle(query, -ENOBUFS);
	}
	polkit->n_asking++;
	snprintf(query->cancellation_id, sizeof(query->cancellation_id), "vmfreq-%u",
		 polkit->sequence++);
	r = sd_bus_message_append(query->question, "us", dialog ? ALLOW_USER_INTERACTION : 0,
				  query->cancellation_id);
	if (r >= 0)
		r = sd_bus_call_async(sd_bus_message_get_bus(query->call), &query->reply_slot,
				      query->question, on_polkit, query, dialog ? DIALOG_USEC : 0);
	if (r < 0) {
		sd_bus_error_set_errno(&query->error, r);
		return settle(query, r);
	}
	return 1;
}

/* Whom the bus daemon has as the caller's uid. */
static int on_uid(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error)
{
	struct query *query = userdata;
	uint32_t uid;
	int r = sd_bus_message_is_method_error(reply, NULL) ? -EACCES
							    : sd_bus_message_read(reply, "u", &uid);

	query->reply_slot = sd_bus_slot_unref(query->reply_slot);
	if (r < 0) {
		sd_bus_error_set(&query->error, SD_BUS_ERROR_ACCESS_DENIED,
				 "the bus can't tell who asks");
		return settle(query, -EACCES);
	}
	return uid == 0 ? settle(query, 1) : ask_polkit(query);
}

static int on_gone(_unused_ sd_bus_message *signal, void *userdata,
		   _unused_ sd_bus_error *ret_error)
{
	struct query *query = userdata;

	if (query->cancellation_id[0] != '\0') /* if it's lost, polkit's own timeout will do */
		sd_bus_call_method_async(sd_bus_message_get_bus(query->call), NULL, POLKIT_NAME,
					 POLKIT_PATH, POLKIT_INTERFACE, "CancelCheckAuthorization",
					 NULL, NULL, "s", query->cancellation_id);
	query_free(query);
	return 0;
}

/* Without this one, sd-bus would close the connection if the bus daemon refuses the match. Then a
 * caller who vanishes is asked about until polkit notices by itself. */
static int on_watching(_unused_ sd_bus_message *reply, _unused_ void *userdata,
		       _unused_ sd_bus_error *ret_error)
{
	return 0;
}

static int watch_caller(struct query *query, sd_bus *bus, const char *sender)
{
	char match[512];

	snprintf(match, sizeof(match),
		 "type='signal',sender='" BUS_DAEMON "',path='" BUS_DAEMON_PATH
		 "',interface='" BUS_DAEMON "',member='NameOwnerChanged',arg0='%s',arg2=''",
		 sender);
	return sd_bus_add_match_async(bus, &query->gone_slot, match, on_gone, on_watching, query);
}

/* CheckAuthorization up to its flags and cancellation id. */
static int begin_question(struct query *query, sd_bus *bus, const char *sender,
			  const char *const *details)
{
	int r = sd_bus_message_new_method_call(bus, &query->question, POLKIT_NAME, POLKIT_PATH,
					       POLKIT_INTERFACE, "CheckAuthorization");

	if (r >= 0)
		r = sd_bus_message_append(query->question, "(sa{sv})s", "system-bus-name", 1,
					  "name", "s", sender, query->action);
	if (r >= 0)
		r = sd_bus_message_open_container(query->question, 'a', "{ss}");
	for (; r >= 0 && details && details[0]; details += 2)
		r = sd_bus_message_append(query->question, "{ss}", details[0], details[1]);
	return r >= 0 ? sd_bus_message_close_container(query->question) : r;
}

static int query_new(struct polkit *polkit, sd_bus_message *call, const char *action,
		     const char *const *details)
{
	sd_bus *bus = sd_bus_message_get_bus(call);
	const char *sender = sd_bus_message_get_sender(call);
	struct query *query = calloc(1, sizeof(*query));
	int r = -ENOMEM;

	if (!query)
		return -ENOMEM;
	query->polkit = polkit;
	query->call = sd_bus_message_ref(call);
	query->action = strdup(action);
	query->next = polkit->queries;
	polkit->queries = query;
	if (query->action)
		r = begin_question(query, bus, sender, details);
	/* Watched first: then there is no moment in which he can leave unseen. */
	if (r >= 0)
		r = watch_caller(query, bus, sender);
	if (r >= 0)
		r = sd_bus_call_method_async(bus, &query->reply_slot, BUS_DAEMON, BUS_DAEMON_PATH,
					     BUS_DAEMON, "GetConnectionUnixUser", on_uid, query,
					     "s", sender);
	if (r < 0)
		query_free(query);
	return r;
}

/* The answer is used up: another call is another question. */
static int take_verdict(struct query *query, const char *action, sd_bus_error *error)
{
	int verdict = strcmp(query->action, action) == 0 ? query->verdict : -EACCES;

	if (verdict < 0)
		sd_bus_error_move(error, &query->error);
	query_free(query);
	return verdict;
}

int polkit_check(struct polkit *polkit, sd_bus_message *call, const char *action,
		 const char *const *details, sd_bus_error *error)
{
	int r;

	for (struct query *query = polkit->queries; query; query = query->next)
		if (query->call == call && query->answered)
			return take_verdict(query, action, error);
	if (!sd_bus_message_get_sender(call))
		return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
					"the caller has no name");
	r = query_new(polkit, call, action, details);
	return r < 0 ? sd_bus_error_set_errno(error, r) : 0;
}

int polkit_new(struct polkit **ret)
{
	struct polkit *polkit = calloc(1, sizeof(*polkit));

	if (!polkit)
		return -ENOMEM;
	*ret = polkit;
	return 0;
}

struct polkit *polkit_free(struct polkit *polkit)
{
	while (polkit && polkit->queries)
		query_free(polkit->queries);
	free(polkit);
	return NULL;
}
