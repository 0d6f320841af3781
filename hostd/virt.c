/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt, in a thread of its own: a door, and the only user of <libvirt.h>. */
#include "hostd/virt.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "common/macro.h"
#include "hostd/domain_xml.h"

#define RESCAN_MSEC     10000 /* what no event tells: a vsock device that got another CID */
#define KEEPALIVE_SEC   5
#define KEEPALIVE_COUNT 3
#define BACKOFF_MIN_MSEC 250
#define BACKOFF_MAX_MSEC 5000
#define ERROR_MAX       256

/* How often somebody pinned each vCPU of a domain, as libvirt's events told. */
struct pins {
	unsigned char uuid[VIR_UUID_BUFLEN];
	unsigned n_vcpus;
	unsigned *generation;
	struct pins *next;
};

struct virt {
	pthread_t thread;
	char *uri;
	int news_fd; /* to the main loop */
	int stop_fd; /* to the thread */

	pthread_mutex_t lock; /* the four below */
	struct inventory *inventory;
	bool connected;
	bool stopping;
	char error[ERROR_MAX];

	/* The thread's own. */
	virConnectPtr connection;
	bool dirty;
	bool closed;
	struct pins *pins;
};

/* -- to the main loop ----------------------------------------------------------------------------*/

static void tell(struct virt *virt)
{
	eventfd_write(virt->news_fd, 1);
}

static void post_inventory(struct virt *virt, struct inventory *inventory)
{
	pthread_mutex_lock(&virt->lock);
	inventory_free(virt->inventory);
	virt->inventory = inventory;
	virt->connected = true;
	virt->error[0] = '\0';
	pthread_mutex_unlock(&virt->lock);
	tell(virt);
}

static void post_error(struct virt *virt, const char *error)
{
	pthread_mutex_lock(&virt->lock);
	virt->connected = false;
	snprintf(virt->error, sizeof(virt->error), "%s", error);
	pthread_mutex_unlock(&virt->lock);
	tell(virt);
}

static bool is_stopping(struct virt *virt)
{
	bool stopping;

	pthread_mutex_lock(&virt->lock);
	stopping = virt->stopping;
	pthread_mutex_unlock(&virt->lock);
	return stopping;
}

static const char *last_error(void)
{
	const char *message = virGetLastErrorMessage();

	return message ? message : "unknown error";
}

/* -- pins -----------------------------------------------------------------------------------------*/

static struct pins *pins_of(struct virt *virt, const unsigned char *uuid)
{
	for (struct pins *pins = virt->pins; pins; pins = pins->next)
		if (memcmp(pins->uuid, uuid, VIR_UUID_BUFLEN) == 0)
			return pins;
	return NULL;
}

/* Counts that somebody pinned a vCPU. If there is no memory to count it in, the pin is still seen in
 * the inventory's mask. */
static void count_pin(struct virt *virt, const unsigned char *uuid, unsigned vcpu)
{
	struct pins *pins = pins_of(virt, uuid);

	if (!pins) {
		pins = calloc(1, sizeof(*pins));
		if (!pins)
			return;
		memcpy(pins->uuid, uuid, VIR_UUID_BUFLEN);
		pins->next = virt->pins;
		virt->pins = pins;
	}
	if (vcpu >= pins->n_vcpus) {
		unsigned *grown = reallocarray(pins->generation, vcpu + 1, sizeof(*grown));

		if (!grown)
			return;
		memset(grown + pins->n_vcpus, 0, (vcpu + 1 - pins->n_vcpus) * sizeof(*grown));
		pins->generation = grown;
		pins->n_vcpus = vcpu + 1;
	}
	pins->generation[vcpu]++;
}

static void forget_pins(struct virt *virt, const unsigned char *uuid)
{
	for (struct pins **p = &virt->pins; *p; p = &(*p)->next) {
		struct pins *pins = *p;

		if (memcmp(pins->uuid, uuid, VIR_UUID_BUFLEN) == 0) {
			*p = pins->next;
			free(pins->generation);
			free(pins);
			return;
		}
	}
}

static void free_pins(struct virt *virt)
{
	while (virt->pins)
		forget_pins(virt, virt->pins->uuid);
}

/* -- inventory ------------------------------------------------------------------------------------*/

/* 1 if the domain is in *ret, 0 if it went away meanwhile or isn't one that we understand. */
static int read_domain(struct virt *virt, virDomainPtr domain, struct inventory_domain *ret)
{
	_cleanup_free_ char *xml = NULL;
	const struct pins *pins;
	unsigned id = virDomainGetID(domain);
	int r;

	*ret = (struct inventory_domain){.id = (int)id};
	if (id == (unsigned)-1 || virDomainGetUUID(domain, ret->uuid) < 0)
		return 0;
	snprintf(ret->name, sizeof(ret->name), "%s", virDomainGetName(domain));
	xml = virDomainGetXMLDesc(domain, 0);
	if (!xml)
		return 0;
	r = domain_xml_parse(xml, ret);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	pins = pins_of(virt, ret->uuid);
	for (unsigned i = 0; pins && i < MIN(pins->n_vcpus, ret->n_vcpus); i++)
		ret->vcpus[i].pin_generation = pins->generation[i];
	return 1;
}

static int fill_inventory(struct virt *virt, virDomainPtr *domains, int n,
			  struct inventory *inventory)
{
	inventory->domains = calloc((size_t)MAX(n, 1), sizeof(*inventory->domains));
	if (!inventory->domains)
		return -ENOMEM;
	for (int i = 0; i < n; i++) {
		int r = read_domain(virt, domains[i], &inventory->domains[inventory->n_domains]);

		if (r < 0)
			return r;
		inventory->n_domains += (size_t)r;
	}
	return 0;
}

static void post_snapshot(struct virt *virt)
{
	struct inventory *inventory = calloc(1, sizeof(*inventory));
	virDomainPtr *domains = NULL;
	int n, r = -ENOMEM;

	n = virConnectListAllDomains(virt->connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	if (inventory && n >= 0)
		r = fill_inventory(virt, domains, n, inventory);
	for (int i = 0; i < n; i++)
		virDomainFree(domains[i]);
	free(domains);
	if (r < 0) {
		inventory_free(inventory);
		virt->dirty = true; /* the next round tries again */
		return;
	}
	post_inventory(virt, inventory);
}

/* -- libvirt's events -----------------------------------------------------------------------------*/

static int on_lifecycle(_unused_ virConnectPtr connection, virDomainPtr domain, int event,
			_unused_ int detail, void *userdata)
{
	struct virt *virt = userdata;
	unsigned char uuid[VIR_UUID_BUFLEN];

	if (event == VIR_DOMAIN_EVENT_STOPPED && virDomainGetUUID(domain, uuid) == 0)
		forget_pins(virt, uuid);
	virt->dirty = true;
	return 0;
}

static void on_tunable(_unused_ virConnectPtr connection, virDomainPtr domain,
		       virTypedParameterPtr params, int n_params, void *userdata)
{
	static const char prefix[] = VIR_DOMAIN_TUNABLE_CPU_VCPUPIN; /* "cputune.vcpupin%u" */
	size_t stem = strcspn(prefix, "%");
	struct virt *virt = userdata;
	unsigned char uuid[VIR_UUID_BUFLEN];

	if (virDomainGetUUID(domain, uuid) < 0)
		return;
	for (int i = 0; i < n_params; i++) {
		char *end;
		unsigned long vcpu;

		if (strncmp(params[i].field, prefix, stem) != 0)
			continue;
		vcpu = strtoul(params[i].field + stem, &end, 10);
		if (*end == '\0' && vcpu < CPUMASK_CPUS)
			count_pin(virt, uuid, (unsigned)vcpu);
	}
	virt->dirty = true;
}

static void on_device(_unused_ virConnectPtr connection, _unused_ virDomainPtr domain,
		      _unused_ const char *device, void *userdata)
{
	((struct virt *)userdata)->dirty = true;
}

static void on_close(_unused_ virConnectPtr connection, _unused_ int reason, void *userdata)
{
	((struct virt *)userdata)->closed = true;
}

static void on_rescan(_unused_ int timer, void *userdata)
{
	((struct virt *)userdata)->dirty = true;
}

static void on_stop(_unused_ int watch, _unused_ int fd, _unused_ int events, void *userdata)
{
	((struct virt *)userdata)->closed = true;
}

static void register_event(struct virt *virt, int event, virConnectDomainEventGenericCallback call)
{
	/* Where a driver lacks an event, the rescan stands in for it. */
	virConnectDomainEventRegisterAny(virt->connection, NULL, event, call, virt, NULL);
}

static bool open_connection(struct virt *virt)
{
	virt->connection = virConnectOpenReadOnly(virt->uri);
	if (!virt->connection)
		return false;
	virt->closed = false;
	virt->dirty = true;
	virConnectRegisterCloseCallback(virt->connection, on_close, virt, NULL);
	virConnectSetKeepAlive(virt->connection, KEEPALIVE_SEC, KEEPALIVE_COUNT);
	register_event(virt, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		       VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle));
	register_event(virt, VIR_DOMAIN_EVENT_ID_TUNABLE, VIR_DOMAIN_EVENT_CALLBACK(on_tunable));
	register_event(virt, VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
		       VIR_DOMAIN_EVENT_CALLBACK(on_device));
	register_event(virt, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
		       VIR_DOMAIN_EVENT_CALLBACK(on_device));
	return true;
}

static void close_connection(struct virt *virt)
{
	virConnectUnregisterCloseCallback(virt->connection, on_close);
	virConnectClose(virt->connection);
	virt->connection = NULL;
}

/* Waits, but not for the thread's end. */
static void wait_before_retry(struct virt *virt, unsigned msec)
{
	const struct timespec step = {.tv_nsec = 50 * 1000 * 1000};

	for (unsigned waited = 0; waited < msec && !is_stopping(virt); waited += 50)
		nanosleep(&step, NULL);
}

static void follow_connection(struct virt *virt)
{
	while (!virt->closed && virConnectIsAlive(virt->connection) == 1) {
		if (virt->dirty) {
			virt->dirty = false;
			post_snapshot(virt);
		}
		if (virEventRunDefaultImpl() < 0)
			return;
	}
}

static void ignore_error(_unused_ void *userdata, _unused_ virErrorPtr error)
{
	/* Errors are looked at where they matter; libvirt would print them to stderr. */
}

static void *run(void *userdata)
{
	struct virt *virt = userdata;
	unsigned backoff_msec = BACKOFF_MIN_MSEC;
	int timer, watch;

	virSetErrorFunc(NULL, ignore_error);
	timer = virEventAddTimeout(RESCAN_MSEC, on_rescan, virt, NULL);
	watch = virEventAddHandle(virt->stop_fd, VIR_EVENT_HANDLE_READABLE, on_stop, virt, NULL);
	while (!is_stopping(virt)) {
		if (!open_connection(virt)) {
			post_error(virt, last_error());
			wait_before_retry(virt, backoff_msec);
			backoff_msec = MIN(backoff_msec * 2, BACKOFF_MAX_MSEC);
			continue;
		}
		backoff_msec = BACKOFF_MIN_MSEC;
		follow_connection(virt);
		if (!is_stopping(virt))
			post_error(virt, "the connection was lost");
		close_connection(virt);
	}
	virEventRemoveTimeout(timer);
	virEventRemoveHandle(watch);
	free_pins(virt);
	return NULL;
}

/* -- for the main loop ----------------------------------------------------------------------------*/

static struct virt *virt_free(struct virt *virt)
{
	if (virt->news_fd >= 0)
		close(virt->news_fd);
	if (virt->stop_fd >= 0)
		close(virt->stop_fd);
	inventory_free(virt->inventory);
	pthread_mutex_destroy(&virt->lock);
	free(virt->uri);
	free(virt);
	return NULL;
}

int virt_start(const char *uri, struct virt **ret)
{
	struct virt *virt = calloc(1, sizeof(*virt));
	int r;

	if (!virt)
		return -ENOMEM;
	pthread_mutex_init(&virt->lock, NULL);
	virt->uri = strdup(uri);
	virt->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	virt->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	snprintf(virt->error, sizeof(virt->error), "not connected yet");
	/* Before any connection is opened, or its events never come. */
	if (!virt->uri || virt->news_fd < 0 || virt->stop_fd < 0 ||
	    virEventRegisterDefaultImpl() < 0) {
		virt_free(virt);
		return -ENOMEM;
	}
	r = pthread_create(&virt->thread, NULL, run, virt);
	if (r > 0) {
		virt_free(virt);
		return -r;
	}
	*ret = virt;
	return 0;
}

struct virt *virt_stop(struct virt *virt)
{
	struct timespec until;

	if (!virt)
		return NULL;
	pthread_mutex_lock(&virt->lock);
	virt->stopping = true;
	pthread_mutex_unlock(&virt->lock);
	eventfd_write(virt->stop_fd, 1);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 1;
	if (pthread_timedjoin_np(virt->thread, NULL, &until) == 0)
		virt_free(virt);
	return NULL;
}

int virt_fd(const struct virt *virt)
{
	return virt->news_fd;
}

struct inventory *virt_take(struct virt *virt, bool *ret_connected, char *ret_error, size_t size)
{
	struct inventory *inventory;
	eventfd_t count;

	eventfd_read(virt->news_fd, &count);
	pthread_mutex_lock(&virt->lock);
	inventory = TAKE_PTR(virt->inventory);
	*ret_connected = virt->connected;
	snprintf(ret_error, size, "%s", virt->error);
	pthread_mutex_unlock(&virt->lock);
	return inventory;
}
