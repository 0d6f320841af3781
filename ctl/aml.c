/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ACPI Machine Language, as much as a table of constants needs. Pure. */
#include "ctl/aml.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"

#define OEM_ID	   "VMFREQ"
#define CREATOR_ID "VMFQ"
#define CREATOR	   1U
#define REVISION   2U

/* Where the header has them. */
enum { AT_LENGTH = 4, AT_CHECKSUM = 9 };

/* ACPI 6.5, 20.2. */
enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_EXTERNAL = 0x15,
	OP_IF = 0xa0,
	PREFIX_DUAL_NAME = 0x2e,
	PREFIX_MULTI_NAME = 0x2f,
	TYPE_DEVICE = 6,
};

static void put(struct aml *aml, const void *data, size_t size)
{
	if (size > AML_SIZE_MAX - aml->n) {
		aml->overflow = true;
		return;
	}
	memcpy(aml->bytes + aml->n, data, size);
	aml->n += size;
}

static void put_byte(struct aml *aml, uint8_t value)
{
	put(aml, &value, 1);
}

/* Little-endian. */
static void put_number(struct aml *aml, uint64_t value, unsigned n_bytes)
{
	for (unsigned i = 0; i < n_bytes; i++)
		put_byte(aml, (uint8_t)(value >> 8 * i));
}

/* Text in a field of fixed size, with NULs behind it. */
static void put_field(struct aml *aml, const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	put(aml, text, length);
	put_number(aml, 0, (unsigned)(size - length));
}

/* One name of a path, up to a dot or the end: what stands behind it. */
static const char *put_segment(struct aml *aml, const char *name)
{
	unsigned n = 0;

	for (; *name != '\0' && *name != '.'; name++, n++)
		put_byte(aml, (uint8_t)*name);
	for (; n < 4; n++)
		put_byte(aml, '_');
	return *name == '.' ? name + 1 : name;
}

static void put_path(struct aml *aml, const char *path)
{
	uint8_t n = 1;

	for (const char *p = path; (p = strchr(p, '.')); p++)
		n++;
	put_byte(aml, (uint8_t)*path++);
	if (n == 2)
		put_byte(aml, PREFIX_DUAL_NAME);
	if (n > 2) {
		put_byte(aml, PREFIX_MULTI_NAME);
		put_byte(aml, n);
	}
	while (*path != '\0')
		path = put_segment(aml, path);
}

void aml_open_table(struct aml *aml, const char *signature, const char *oem_table_id)
{
	aml->n = 0;
	aml->overflow = false;
	put_field(aml, signature, 4);
	put_number(aml, 0, 4); /* AT_LENGTH */
	put_byte(aml, REVISION);
	put_byte(aml, 0); /* AT_CHECKSUM */
	put_field(aml, OEM_ID, 6);
	put_field(aml, oem_table_id, 8);
	put_number(aml, 1, 4); /* the table's own revision */
	put_field(aml, CREATOR_ID, 4);
	put_number(aml, CREATOR, 4);
}

int aml_close_table(struct aml *aml)
{
	uint8_t sum = 0;

	if (aml->overflow)
		return -EFBIG;
	for (unsigned i = 0; i < 4; i++)
		aml->bytes[AT_LENGTH + i] = (uint8_t)(aml->n >> 8 * i);
	for (size_t i = 0; i < aml->n; i++)
		sum = (uint8_t)(sum + aml->bytes[i]);
	aml->bytes[AT_CHECKSUM] = (uint8_t)-sum;
	return 0;
}

size_t aml_open_never(struct aml *aml)
{
	size_t opened;

	put_byte(aml, OP_IF);
	opened = aml->n;
	aml_integer(aml, 0);
	return opened;
}

void aml_external_device(struct aml *aml, const char *path)
{
	put_byte(aml, OP_EXTERNAL);
	put_path(aml, path);
	put_byte(aml, TYPE_DEVICE);
	put_byte(aml, 0); /* arguments */
}

size_t aml_open_scope(struct aml *aml, const char *path)
{
	size_t opened;

	put_byte(aml, OP_SCOPE);
	opened = aml->n;
	put_path(aml, path);
	return opened;
}

size_t aml_open_package(struct aml *aml, uint8_t n_elements)
{
	size_t opened;

	put_byte(aml, OP_PACKAGE);
	opened = aml->n;
	put_byte(aml, n_elements);
	return opened;
}

/* A PkgLength counts its own bytes: one up to 63, or the first has its lowest 4 bits and, in the
 * highest 2, how many follow with 8 each. */
void aml_close(struct aml *aml, size_t opened)
{
	size_t body = aml->n - opened, length;
	unsigned n_more = body + 1 < 1U << 6 ? 0 : body + 2 < 1U << 12 ? 1 : 2;

	put_number(aml, 0, 1 + n_more); /* room */
	if (aml->overflow)
		return;
	memmove(aml->bytes + opened + 1 + n_more, aml->bytes + opened, body);
	length = body + 1 + n_more;
	if (n_more == 0) {
		aml->bytes[opened] = (uint8_t)length;
		return;
	}
	aml->bytes[opened] = (uint8_t)(n_more << 6 | (length & 0xf));
	for (unsigned i = 0; i < n_more; i++)
		aml->bytes[opened + 1 + i] = (uint8_t)(length >> (4 + 8 * i));
}

void aml_name(struct aml *aml, const char *name)
{
	put_byte(aml, OP_NAME);
	put_segment(aml, name);
}

void aml_integer(struct aml *aml, uint64_t value)
{
	unsigned n_bytes = value <= 1		 ? 0
			   : value <= UINT8_MAX	 ? 1
			   : value <= UINT16_MAX ? 2
			   : value <= UINT32_MAX ? 4
						 : 8;
	static const uint8_t prefix[] = {
		[1] = OP_BYTE, [2] = OP_WORD, [4] = OP_DWORD, [8] = OP_QWORD};

	if (n_bytes == 0) {
		put_byte(aml, value == 0 ? OP_ZERO : OP_ONE);
		return;
	}
	put_byte(aml, prefix[n_bytes]);
	put_number(aml, value, n_bytes);
}

/* The descriptors are those of ACPI 6.5, 6.4.3.7 (generic register) and 6.4.2.9 (end tag). */
void aml_register_io(struct aml *aml, uint8_t bits, uint16_t port)
{
	const uint8_t descriptor[] = {0x82, 12, 0, /* its length */
				      1,	   /* in I/O space */
				      bits, 0,	   /* from bit 0 on */
				      0};	   /* any size of access */
	size_t opened;

	put_byte(aml, OP_BUFFER);
	opened = aml->n;
	aml_integer(aml, sizeof(descriptor) + 8 + 2);
	put(aml, descriptor, sizeof(descriptor));
	put_number(aml, port, 8);
	put_byte(aml, 0x79);
	put_byte(aml, 0); /* no checksum */
	aml_close(aml, opened);
}
