/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we need of a running domain's live XML. */
#include "hostd/domain_xml.h"

#include <libxml/parser.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

#define VCPUS_MAX 1024U

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

static int fill_vcpus(const xmlNode *root, struct inventory_domain *domain)
{
	const xmlNode *pin = child(child(root, "cputune"), "vcpupin");
	struct cpumask all = {};
	int r = get_cpus(child(root, "vcpu"), &all);

	for (unsigned i = 0; i < domain->n_vcpus; i++)
		domain->vcpus[i].allowed = all;
	for (; r >= 0 && pin; pin = find(pin->next, "vcpupin"))
		r = take_pin(pin, domain);
	return r;
}

static int parse(const xmlNode *root, struct inventory_domain *domain)
{
	int r;

	if (strcmp((const char *)root->name, "domain") != 0)
		return -EBADMSG;
	r = get_cid(root, &domain->cid);
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
