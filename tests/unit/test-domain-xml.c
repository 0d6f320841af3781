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
	"  <os><type arch='x86_64' machine='q35'>hvm</type></os>\n"
	"  <cpu><topology sockets='2' dies='1' cores='1' threads='2'/></cpu>\n"
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
	assert_false(domain.vcpus[1].offline);
	assert_true(domain.vcpus[2].offline);
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
	assert_false(domain.vcpus[0].offline);
	assert_int_equal(domain.machine.kind, MACHINE_UNKNOWN);
	assert_int_equal(domain.machine.sockets, 0);
	inventory_domain_clear(&domain);
}

static void test_machine(_unused_ void **state)
{
	static const struct {
		const char *type, *os, *rest;
		struct inventory_machine machine;
	} rows[] = {
		{"kvm", "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type>", "",
		 {.kind = MACHINE_X86}},
		{"qemu", "<type arch='i686' machine='pc'>hvm</type>",
		 "<cpu><model>x</model><topology sockets='2' dies='3' clusters='4' cores='5' "
		 "threads='6'/></cpu>",
		 {MACHINE_X86, false, 2, 3, 4, 5, 6}},
		{"kvm", "<type arch='x86_64'>hvm</type>",
		 "<cpu><topology sockets='1' cores='3' threads='2'/></cpu>",
		 {MACHINE_X86, false, 1, 1, 1, 3, 2}},
		{"kvm", "<type arch='aarch64' machine='virt-7.2'>hvm</type>",
		 "<features><acpi/><gic version='3'/></features>",
		 {.kind = MACHINE_ARM_VIRT}},
		{"qemu", "<type arch='aarch64' machine='virt'>hvm</type>",
		 "<features><gic version='2'/></features>", {.kind = MACHINE_ARM_VIRT, .gic2 = true}},
		/* Others, whose ids nobody here knows. */
		{"kvm", "<type arch='aarch64' machine='virtual'>hvm</type>", "", {}},
		{"kvm", "<type arch='aarch64' machine='sbsa-ref'>hvm</type>", "", {}},
		{"kvm", "<type arch='s390x' machine='s390-ccw-virtio'>hvm</type>", "", {}},
		{"xen", "<type arch='x86_64' machine='xenfv'>hvm</type>", "", {}},
		{"kvm", "<type>hvm</type>", "", {}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct inventory_domain domain = {.machine = {.kind = 9, .cores = 9}};
		const struct inventory_machine *got = &domain.machine, *wanted = &rows[i].machine;
		char xml[512];

		snprintf(xml, sizeof(xml), "<domain type='%s'><vcpu>2</vcpu><os>%s</os>%s</domain>",
			 rows[i].type, rows[i].os, rows[i].rest);
		EXPECT(domain_xml_parse(xml, &domain) == 0, "row %zu", i);
		EXPECT(got->kind == wanted->kind && got->gic2 == wanted->gic2 &&
			       got->sockets == wanted->sockets && got->dies == wanted->dies &&
			       got->clusters == wanted->clusters && got->cores == wanted->cores &&
			       got->threads == wanted->threads,
		       "row %zu: %d %d %u %u %u %u %u", i, got->kind, got->gic2, got->sockets,
		       got->dies, got->clusters, got->cores, got->threads);
		inventory_domain_clear(&domain);
	}
}

/* As libvirt writes it once vCPUs can be plugged in and out. */
static void test_offline(_unused_ void **state)
{
	static const char xml[] =
		"<domain><vcpu placement='static' current='2'>4</vcpu><vcpus>"
		"<vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>"
		"<vcpu id='1' enabled='no' hotpluggable='yes'/>"
		"<vcpu id='2' enabled='yes' hotpluggable='yes' order='2'/>"
		"<vcpu id='3' enabled='no' hotpluggable='yes'/>"
		"<vcpu id='4' enabled='yes' hotpluggable='yes'/></vcpus></domain>";
	struct inventory_domain domain = {};

	assert_int_equal(domain_xml_parse(xml, &domain), 0);
	assert_false(domain.vcpus[0].offline);
	assert_true(domain.vcpus[1].offline);
	assert_false(domain.vcpus[2].offline);
	assert_true(domain.vcpus[3].offline);
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
		"<domain><vcpu current='x'>1</vcpu></domain>",
		"<domain><vcpu>1</vcpu><vcpus><vcpu id='0'/></vcpus></domain>",
		"<domain><vcpu>1</vcpu><vcpus><vcpu enabled='no'/></vcpus></domain>",
		"<domain><vcpu>1</vcpu><vcpus><vcpu id='-1' enabled='no'/></vcpus></domain>",
		"<domain type='kvm'><vcpu>1</vcpu><cpu><topology sockets='0'/></cpu></domain>",
		"<domain type='kvm'><vcpu>1</vcpu><cpu><topology cores='x'/></cpu></domain>",
		"<domain type='kvm'><vcpu>1</vcpu><cpu><topology dies='65536'/></cpu></domain>",
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
			EXPECT(domain.vcpus[3].offline && domain.machine.kind == MACHINE_X86 &&
				       domain.machine.sockets == 2 && domain.machine.threads == 2,
			       "allocation %u", n);
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
		cmocka_unit_test(test_machine),	    cmocka_unit_test(test_offline),
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
