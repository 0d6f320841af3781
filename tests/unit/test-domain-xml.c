/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/domain_xml.c: live XML as libvirt writes it, as nobody should, and without memory. */
#include "tests/unit/test.h"

#include <libxml/parser.h>
#include <libxml/xmlmemory.h>

#include "hostd/domain_xml.h"

static const char full[] =
	"<domain type='kvm' id='7' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
	"  <name>guest &amp; co</name>\n"
	"  <uuid>0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0</uuid>\n"
	"  <vcpu placement='static' cpuset='0-7' current='2'>4</vcpu>\n"
	"  <cputune>\n"
	"    <vcpupin vcpu='1' cpuset='2-3'/>\n"
	"    <vcpupin vcpu='3' cpuset='7'/>\n"
	"    <emulatorpin cpuset='9'/>\n"
	"  </cputune>\n"
	"  <devices>\n"
	"    <vsock model='virtio'><cid auto='yes' address='42'/><alias name='vsock0'/></vsock>\n"
	"  </devices>\n"
	"  <qemu:commandline><qemu:arg value='-acpitable'/></qemu:commandline>\n"
	"</domain>\n";

static void assert_mask(const struct cpumask *mask, const char *wanted)
{
	char text[CPUMASK_TEXT_MAX];

	assert_true(cpumask_format(mask, text, sizeof(text)) >= 0);
	assert_string_equal(text, wanted);
}

static void test_full(_unused_ void **state)
{
	struct inventory_domain domain = {.uuid = {9}, .id = 7, .name = "n"};

	assert_int_equal(domain_xml_parse(full, &domain), 0);
	assert_int_equal(domain.cid, 42);
	assert_int_equal(domain.n_vcpus, 4);
	assert_mask(&domain.vcpus[0].allowed, "0-7");
	assert_mask(&domain.vcpus[1].allowed, "2-3");
	assert_mask(&domain.vcpus[2].allowed, "0-7");
	assert_mask(&domain.vcpus[3].allowed, "7");
	assert_int_equal(domain.vcpus[1].pin_generation, 0);
	/* The caller's. */
	assert_int_equal(domain.id, 7);
	assert_int_equal(domain.uuid[0], 9);
	assert_string_equal(domain.name, "n");
	inventory_domain_clear(&domain);
}

static void test_little(_unused_ void **state)
{
	struct inventory_domain domain = {};

	assert_int_equal(domain_xml_parse("<domain><vcpu>1</vcpu></domain>", &domain), 0);
	assert_int_equal(domain.cid, 0);
	assert_int_equal(domain.n_vcpus, 1);
	assert_true(cpumask_is_empty(&domain.vcpus[0].allowed));
	inventory_domain_clear(&domain);
}

static void test_most_vcpus(_unused_ void **state)
{
	struct inventory_domain domain = {};

	assert_int_equal(domain_xml_parse("<domain><vcpu>1024</vcpu><cputune><vcpupin vcpu='1023' "
					  "cpuset='1023'/></cputune></domain>", &domain), 0);
	assert_int_equal(domain.n_vcpus, 1024);
	assert_true(cpumask_is_empty(&domain.vcpus[1022].allowed));
	assert_mask(&domain.vcpus[1023].allowed, "1023");
	inventory_domain_clear(&domain);
}

/* A pin of a vCPU that isn't there is nobody's. */
static void test_foreign_pin(_unused_ void **state)
{
	struct inventory_domain domain = {};

	assert_int_equal(domain_xml_parse("<domain><vcpu>1</vcpu><cputune><vcpupin vcpu='1' "
					  "cpuset='3'/></cputune></domain>", &domain), 0);
	assert_true(cpumask_is_empty(&domain.vcpus[0].allowed));
	inventory_domain_clear(&domain);
}

static void test_cpu_lists(_unused_ void **state)
{
	static const struct {
		const char *cpuset, *allowed; /* NULL: refused */
	} rows[] = {
		{"0-3,^2", "0-1,3"}, {"0-3, 8", "0-3,8"}, {"^2,0-3", "0-3"}, {"5", "5"},
		{"", ""}, /* as if it weren't there */
		{"^0", NULL}, {"0,^0", NULL}, {",", NULL}, {" ", NULL}, /* would widen to any CPU */
		{"0-1024", NULL}, {"3-1", NULL}, {"a", NULL}, {"^", NULL}, {"^^1", NULL},
		{"0-", NULL}, {"-1", NULL}, {"0-3;4", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int pin = 0; pin < 2; pin++) {
			struct inventory_domain domain = {.cid = 99};
			char xml[256];
			int r;

			snprintf(xml, sizeof(xml), pin ? "<domain><vcpu>1</vcpu><cputune>"
							 "<vcpupin vcpu='0' cpuset='%s'/>"
							 "</cputune></domain>"
						       : "<domain><vcpu cpuset='%s'>1</vcpu></domain>",
				 rows[i].cpuset);
			r = domain_xml_parse(xml, &domain);
			EXPECT(r == (rows[i].allowed ? 0 : -EBADMSG), "'%s' gave %d",
			       rows[i].cpuset, r);
			if (r == 0)
				assert_mask(&domain.vcpus[0].allowed, rows[i].allowed);
			else
				EXPECT(domain.cid == 99 && !domain.vcpus, "'%s' changed it",
				       rows[i].cpuset);
			inventory_domain_clear(&domain);
		}
}

static void test_bad(_unused_ void **state)
{
	static const char *const rows[] = {
		"",
		"hello",
		"<domain>",
		"<domain/>",
		"<domain><vcpu/></domain>",
		"<domain><vcpu>0</vcpu></domain>",
		"<domain><vcpu>-1</vcpu></domain>",
		"<domain><vcpu>1025</vcpu></domain>",
		"<domain><vcpu>4294967297</vcpu></domain>",
		"<domain><vcpu>99999999999999999999</vcpu></domain>",
		"<domain><vcpu>two</vcpu></domain>",
		"<domain><vcpu>1</vcpu>",
		"<domain><vcpu>1</vcpu></domain><domain/>",
		"<domstatus><domain><vcpu>1</vcpu></domain></domstatus>",
		"<domain><vcpu>1</vcpu><devices><vsock><cid address='x'/></vsock></devices></domain>",
		"<domain><vcpu>1</vcpu><devices><vsock><cid address='-3'/></vsock></devices></domain>",
		"<domain><vcpu>1</vcpu><devices><vsock><cid address='9999999999'/></vsock></devices></domain>",
		"<domain><vcpu>1</vcpu>\xff\xfe</domain>",
		"<domain><vcpu>&nope;</vcpu></domain>",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct inventory_domain domain = {.cid = 99, .n_vcpus = 98};

		EXPECT(domain_xml_parse(rows[i], &domain) == -EBADMSG, "row %zu", i);
		EXPECT(domain.cid == 99 && domain.n_vcpus == 98 && !domain.vcpus,
		       "row %zu changed it", i);
	}
}

/* Entities that would grow to gigabytes, or name a file. */
static void test_entities(_unused_ void **state)
{
	static const char laughs[] =
		"<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'>"
		"<!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;'>"
		"<!ENTITY e '&c;&c;&c;&c;&c;&c;&c;&c;&c;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;&e;'>"
		"<!ENTITY g '&f;&f;&f;&f;&f;&f;&f;&f;&f;'><!ENTITY h '&g;&g;&g;&g;&g;&g;&g;&g;&g;'>]>"
		"<domain><vcpu>&h;</vcpu></domain>";
	static const char file[] = "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///proc/sys/kernel/pid_max'>]>"
				   "<domain><vcpu>&x;</vcpu></domain>";
	struct inventory_domain domain = {};

	assert_int_equal(domain_xml_parse(laughs, &domain), -EBADMSG);
	assert_int_equal(domain_xml_parse(file, &domain), -EBADMSG);
}

/* -- no memory: each allocation of libxml2 fails in turn -- */

static unsigned fail_at;

static bool may_allocate(void)
{
	return fail_at == 0 || --fail_at > 0;
}

static void *failing_malloc(size_t size)
{
	return may_allocate() ? malloc(size) : NULL;
}

static void *failing_realloc(void *p, size_t size)
{
	return may_allocate() ? realloc(p, size) : NULL;
}

static char *failing_strdup(const char *text)
{
	return may_allocate() ? strdup(text) : NULL;
}

static void ignore_error(_unused_ void *context, _unused_ const char *format, ...)
{
}

static void test_no_memory(_unused_ void **state)
{
	unsigned good = 0, failed = 0;

	for (unsigned n = 1; good == 0; n++) {
		struct inventory_domain domain = {};
		bool all;
		int r;

		assert_true(n < 100000);
		fail_at = n;
		r = domain_xml_parse(full, &domain);
		all = fail_at > 0; /* it didn't come to the n-th */
		fail_at = 0;
		if (r == 0) {
			/* Never a mask that is wider than what stands there. */
			EXPECT(domain.cid == 42 && domain.n_vcpus == 4, "allocation %u", n);
			assert_mask(&domain.vcpus[0].allowed, "0-7");
			assert_mask(&domain.vcpus[1].allowed, "2-3");
			assert_mask(&domain.vcpus[2].allowed, "0-7");
			assert_mask(&domain.vcpus[3].allowed, "7");
			inventory_domain_clear(&domain);
		} else {
			EXPECT(r == -ENOMEM || r == -EBADMSG, "allocation %u gave %d", n, r);
			EXPECT(!domain.vcpus, "allocation %u", n);
			failed++;
		}
		good += all;
	}
	assert_true(failed > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),	    cmocka_unit_test(test_little),
		cmocka_unit_test(test_most_vcpus),  cmocka_unit_test(test_foreign_pin),
		cmocka_unit_test(test_cpu_lists),   cmocka_unit_test(test_bad),
		cmocka_unit_test(test_entities),    cmocka_unit_test(test_no_memory),
	};
	int r;

	xmlMemSetup(free, failing_malloc, failing_realloc, failing_strdup);
	xmlInitParser();
	xmlSetGenericErrorFunc(NULL, ignore_error);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	xmlCleanupParser();
	return r;
}
