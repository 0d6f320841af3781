/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we need of a running domain's live XML. */
#include "hostd/domain_xml.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

#define VCPUS_MAX 1024U

DEFINE_CLEANUP(xmlDocPtr, xmlFreeDoc)
DEFINE_CLEANUP(xmlXPathContextPtr, xmlXPathFreeContext)
DEFINE_CLEANUP(xmlXPathObjectPtr, xmlXPathFreeObject)
DEFINE_CLEANUP(xmlChar *, xmlFree)

/* The text that an XPath expression yields: NULL if nothing, or empty. The expressions are ours and
 * good, so what fails is memory: that must not pass for a mask that isn't there. */
static int eval_text(xmlXPathContextPtr context, const char *expression, xmlChar **ret)
{
	_cleanup_(xmlXPathFreeObjectp) xmlXPathObjectPtr object =
		xmlXPathEvalExpression((const xmlChar *)expression, context);
	_cleanup_(xmlFreep) xmlChar *text = object ? xmlXPathCastToString(object) : NULL;

	if (!text)
		return -ENOMEM;
	*ret = *text == '\0' ? NULL : TAKE_PTR(text);
	return 0;
}

/* A number; `missing` if there is none. */
static int eval_u64(xmlXPathContextPtr context, const char *expression, uint64_t max,
		    uint64_t missing, uint64_t *ret)
{
	_cleanup_(xmlFreep) xmlChar *text = NULL;
	int r = eval_text(context, expression, &text);

	if (r < 0)
		return r;
	if (!text) {
		*ret = missing;
		return 0;
	}
	return parse_u64_max((const char *)text, max, ret);
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

static int eval_cpus(xmlXPathContextPtr context, const char *expression, struct cpumask *ret)
{
	_cleanup_(xmlFreep) xmlChar *text = NULL;
	int r = eval_text(context, expression, &text);

	return r < 0 || !text ? r : parse_libvirt_cpus((const char *)text, ret);
}

static int fill_vcpus(xmlXPathContextPtr context, struct inventory_domain *domain)
{
	struct cpumask all = {};
	int r = eval_cpus(context, "string(/domain/vcpu/@cpuset)", &all);

	for (unsigned i = 0; r >= 0 && i < domain->n_vcpus; i++) {
		char expression[96];

		snprintf(expression, sizeof(expression),
			 "string(/domain/cputune/vcpupin[@vcpu='%u']/@cpuset)", i);
		domain->vcpus[i].allowed = all;
		r = eval_cpus(context, expression, &domain->vcpus[i].allowed);
	}
	return r;
}

int domain_xml_parse(const char *xml, struct inventory_domain *ret)
{
	_cleanup_(xmlFreeDocp) xmlDocPtr doc =
		xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
			      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	_cleanup_(xmlXPathFreeContextp) xmlXPathContextPtr context =
		doc ? xmlXPathNewContext(doc) : NULL;
	struct inventory_domain domain = *ret;
	uint64_t cid, n_vcpus = 0;
	int r;

	if (!context)
		return -EBADMSG;
	r = eval_u64(context, "string(/domain/devices/vsock/cid/@address)", UINT32_MAX, 0, &cid);
	if (r >= 0)
		r = eval_u64(context, "string(/domain/vcpu)", VCPUS_MAX, 0, &n_vcpus);
	if (r < 0 || n_vcpus == 0)
		return r == -ENOMEM ? r : -EBADMSG;
	domain.cid = (uint32_t)cid;
	domain.n_vcpus = (unsigned)n_vcpus;
	domain.vcpus = calloc(n_vcpus, sizeof(*domain.vcpus));
	if (!domain.vcpus)
		return -ENOMEM;
	r = fill_vcpus(context, &domain);
	if (r < 0) {
		inventory_domain_clear(&domain);
		return r == -ENOMEM ? r : -EBADMSG;
	}
	*ret = domain;
	return 0;
}
