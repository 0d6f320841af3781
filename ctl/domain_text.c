/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes into a domain's XML. */
#include "ctl/domain_text.h"

#include <string.h>

/* In XML's text, or in an attribute with '' or "" around. */
static void print_xml(FILE *to, char c)
{
	if (c != '\0' && strchr("<>&'\"\t\n\r", c))
		fprintf(to, "&#%d;", c);
	else
		fputc(c, to);
}

static void print_xml_text(FILE *to, const char *text)
{
	for (; *text != '\0'; text++)
		print_xml(to, *text);
}

/* A value among QEMU's own, with commas between: one of its own is doubled. */
static void print_qemu_value(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		print_xml(to, *text);
		if (*text == ',')
			fputc(',', to);
	}
}

void domain_text_acpi(FILE *to, const char *path, unsigned n_cpus)
{
	fprintf(to,
		"\n"
		"In the domain (virsh edit DOMAIN), whose <vcpu> must be %u, the first line gets\n"
		"an attribute:\n\n"
		"  <domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n\n"
		"and before </domain> goes:\n\n"
		"  <qemu:commandline>\n"
		"    <qemu:arg value='-acpitable'/>\n"
		"    <qemu:arg value='file=",
		n_cpus);
	print_qemu_value(to, path);
	fprintf(to,
		"'/>\n"
		"  </qemu:commandline>\n\n"
		"Where AppArmor confines QEMU, as on Debian and Ubuntu, it may read the file by a\n"
		"line in /etc/apparmor.d/local/abstractions/libvirt-qemu:\n\n"
		"  \"%s\" r,\n",
		path);
}

void domain_text_dtb(FILE *to, const char *path, unsigned n_cpus)
{
	fprintf(to,
		"\n"
		"In the domain (virsh edit DOMAIN), whose <vcpu> must be %u, in <os>:\n\n"
		"  <dtb>",
		n_cpus);
	print_xml_text(to, path);
	fprintf(to, "</dtb>\n\n"
		    "and no <acpi/> in <features>: the guest would go by ACPI's tables instead.\n");
}
