/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we need of a running domain's live XML. */
#include "hostd/domain_xml.h"

#include <libxml/parser.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

#define VCPUS_MAX    1024U
#define TOPOLOGY_MAX UINT16_MAX /* of one level: more than any machine has */

DEFINE_CLEANUP(xmlDocPtr, xmlFreeDoc)
DEFINE_CLEANUP(xmlParserCtxtPtr, xmlFreeParserCtxt)

/* The tree is walked by hand. XPath allocates, and where it has no memory libxml2 2.9 frees twice, or
 * says that an attribute isn't there: a mask that is lost so would allow any CPU. */

/* The first element of that name below one, or at `node` and behind it; NULL if there is none. */
static const xmlNode *find(const xmlNode *node, const char *name)
{
	for (; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0)
			return node;
	return NULL;
}

static const xmlNode *child(const xmlNode *parent, const char *name)
{
	return parent ? find(parent->children, name) : NULL;
}

/* The text that an element or attribute holds, NULL if there is none. -EBADMSG if it isn't plain. */
static int get_text(const xmlNode *content, const char **ret)
{
	*ret = NULL;
	if (!content)
		return 0;
	if (content->type != XML_TEXT_NODE || content->next)
		return -EBADMSG;
	if (*content->content != '\0')
		*ret = (const char *)content->content;
	return 0;
}

static int get_attribute(const xmlNode *element, const char *name, const char **ret)
{
	*ret = NULL;
	for (const xmlAttr *a = element ? element->properties : NULL; a; a = a->next)
		if (!a->ns && strcmp((const char *)a->name, name) == 0)
			return get_text(a->children, ret);
	return 0;
}

/* libvirt takes "0-3,^2" from an operator but writes plain lists; take both. A list that leaves no
 * CPU is refused: an empty mask would mean any CPU. */
static int parse_libvirt_cpus(const char *text, struct cpumask *ret)
{
	_cleanup_free_ char *copy = strdup(text);
	struct cpumask mask = {}, part;
	char *state = NULL;

	if (!copy)
		return -ENOMEM;
	for (char *word = strtok_r(copy, ", ", &state); word; word = strtok_r(NULL, ", ", &state)) {
		bool without = *word == '^';
		int r = cpumask_parse(word + without, &part);

		if (r < 0)
			return r;
		CPUMASK_FOREACH(cpu, &part) {
			if (without)
				cpumask_unset(&mask, cpu);
			else
				cpumask_set(&mask, cpu);
		}
	}
	if (cpumask_is_empty(&mask))
		return -EINVAL;
	*ret = mask;
	return 0;
}

static int get_cpus(const xmlNode *element, struct cpumask *ret)
{
	const char *text;
	int r = get_attribute(element, "cpuset", &text);

	return r < 0 || !text ? r : parse_libvirt_cpus(text, ret);
}

static int get_cid(const xmlNode *root, uint32_t *ret)
{
	const char *text;
	uint64_t cid = 0;
	int r = get_attribute(child(child(child(root, "devices"), "vsock"), "cid"), "address",
			      &text);

	if (r >= 0 && text)
		r = parse_u64_max(text, UINT32_MAX, &cid);
	if (r >= 0)
		*ret = (uint32_t)cid;
	return r;
}

static int get_n_vcpus(const xmlNode *vcpu, unsigned *ret)
{
	const char *text;
	uint64_t n;
	int r = get_text(vcpu ? vcpu->children : NULL, &text);

	if (r < 0 || !text || parse_u64_max(text, VCPUS_MAX, &n) < 0 || n == 0)
		return -EBADMSG;
	*ret = (unsigned)n;
	return 0;
}

/* A pin of a vCPU that the domain doesn't have is nobody's. */
static int take_pin(const xmlNode *pin, struct inventory_domain *domain)
{
	const char *text;
	uint64_t vcpu;
	int r = get_attribute(pin, "vcpu", &text);

	if (r < 0 || !text || parse_u64(text, &vcpu) < 0)
		return -EBADMSG;
	return vcpu < domain->n_vcpus ? get_cpus(pin, &domain->vcpus[vcpu].allowed) : 0;
}

/* Of an own word on one vCPU, in <vcpus>. */
static int take_vcpu(const xmlNode *vcpu, struct inventory_domain *domain)
{
	const char *text, *enabled;
	uint64_t id;
	int r = get_attribute(vcpu, "id", &text);

	if (r >= 0)
		r = get_attribute(vcpu, "enabled", &enabled);
	if (r < 0 || !text || !enabled || parse_u64(text, &id) < 0)
		return -EBADMSG;
	if (id < domain->n_vcpus)
		domain->vcpus[id].offline = strcmp(enabled, "yes") != 0;
	return 0;
}

/* Without <vcpus>, the first `current` of them are online; without that, all are. */
static int fill_online(const xmlNode *root, struct inventory_domain *domain)
{
	const xmlNode *vcpu = child(child(root, "vcpus"), "vcpu");
	uint64_t current = domain->n_vcpus;
	const char *text;
	int r = get_attribute(child(root, "vcpu"), "current", &text);

	if (r >= 0 && text)
		r = parse_u64(text, &current);
	for (unsigned i = 0; i < domain->n_vcpus; i++)
		domain->vcpus[i].offline = i >= current;
	for (; r >= 0 && vcpu; vcpu = find(vcpu->next, "vcpu"))
		r = take_vcpu(vcpu, domain);
	return r;
}

static int fill_vcpus(const xmlNode *root, struct inventory_domain *domain)
{
	const xmlNode *pin = child(child(root, "cputune"), "vcpupin");
	struct cpumask all = {};
	int r = get_cpus(child(root, "vcpu"), &all);

	for (unsigned i = 0; i < domain->n_vcpus; i++)
		domain->vcpus[i].allowed = all;
	for (; r >= 0 && pin; pin = find(pin->next, "vcpupin"))
		r = take_pin(pin, domain);
	return r < 0 ? r : fill_online(root, domain);
}

/* One level of <topology>. libvirt leaves out dies and clusters that it doesn't know: that is one. */
static int get_level(const xmlNode *topology, const char *name, uint32_t *ret)
{
	const char *text;
	uint64_t n = 1;
	int r = get_attribute(topology, name, &text);

	if (r >= 0 && text)
		r = parse_u64_max(text, TOPOLOGY_MAX, &n);
	if (r < 0 || n == 0)
		return -EBADMSG;
	*ret = (uint32_t)n;
	return 0;
}

static int get_topology(const xmlNode *root, struct inventory_machine *machine)
{
	const struct {
		const char *name;
		uint32_t *to;
	} levels[] = {{"sockets", &machine->sockets},
		      {"dies", &machine->dies},
		      {"clusters", &machine->clusters},
		      {"cores", &machine->cores},
		      {"threads", &machine->threads}};
	const xmlNode *topology = child(child(root, "cpu"), "topology");
	int r = 0;

	for (size_t i = 0; topology && r >= 0 && i < ARRAY_SIZE(levels); i++)
		r = get_level(topology, levels[i].name, levels[i].to);
	return r;
}

static bool is_one_of(const char *text, const char *a, const char *b)
{
	return text && (strcmp(text, a) == 0 || strcmp(text, b) == 0);
}

/* "virt" and "virt-7.2", not "virtual". */
static bool is_virt(const char *machine)
{
	return machine && strncmp(machine, "virt", 4) == 0 &&
	       (machine[4] == '\0' || machine[4] == '-');
}

/* Only QEMU's machines are known. */
static int get_machine(const xmlNode *root, struct inventory_machine *ret)
{
	const xmlNode *type = child(child(root, "os"), "type");
	const char *hypervisor, *arch, *machine, *gic;
	int r = get_attribute(root, "type", &hypervisor);

	if (r >= 0)
		r = get_attribute(type, "arch", &arch);
	if (r >= 0)
		r = get_attribute(type, "machine", &machine);
	if (r >= 0)
		r = get_attribute(child(child(root, "features"), "gic"), "version", &gic);
	if (r < 0)
		return r;
	*ret = (struct inventory_machine){.gic2 = gic && strcmp(gic, "2") == 0};
	if (!is_one_of(hypervisor, "kvm", "qemu"))
		return 0;
	if (is_one_of(arch, "x86_64", "i686"))
		ret->kind = MACHINE_X86;
	else if (arch && strcmp(arch, "aarch64") == 0 && is_virt(machine))
		ret->kind = MACHINE_ARM_VIRT;
	return get_topology(root, ret);
}

static int parse(const xmlNode *root, struct inventory_domain *domain)
{
	int r;

	if (strcmp((const char *)root->name, "domain") != 0)
		return -EBADMSG;
	r = get_cid(root, &domain->cid);
	if (r >= 0)
		r = get_machine(root, &domain->machine);
	if (r >= 0)
		r = get_n_vcpus(child(root, "vcpu"), &domain->n_vcpus);
	if (r < 0)
		return r;
	domain->vcpus = calloc(domain->n_vcpus, sizeof(*domain->vcpus));
	if (!domain->vcpus)
		return -ENOMEM;
	r = fill_vcpus(root, domain);
	if (r < 0)
		inventory_domain_clear(domain);
	return r;
}

int domain_xml_parse(const char *xml, struct inventory_domain *ret)
{
	_cleanup_(xmlFreeParserCtxtp) xmlParserCtxtPtr context = xmlNewParserCtxt();
	_cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
	struct inventory_domain domain = *ret;
	const xmlNode *root;
	int r;

	if (!context)
		return -ENOMEM;
	doc = xmlCtxtReadMemory(context, xml, (int)strlen(xml), NULL, NULL,
				XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	root = doc ? xmlDocGetRootElement(doc) : NULL;
	/* Without memory it may yield half a document and call it good. */
	if (context->errNo == XML_ERR_NO_MEMORY)
		return -ENOMEM;
	if (!root)
		return -EBADMSG;
	r = parse(root, &domain);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	*ret = domain;
	return 0;
}
