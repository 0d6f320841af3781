/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ACPI Machine Language, as much as a table of constants needs: ACPI 6.5, sections 5.2.6 (the
 * header) and 20.2 (the encoding). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AML_SIZE_MAX 65535U /* QEMU's -acpitable takes no larger table */

/* A table that grows from front to back. What doesn't fit is left out, and aml_close_table() says
 * so: nothing else has to look. */
struct aml {
	size_t n;
	bool overflow;
	uint8_t bytes[AML_SIZE_MAX];
};

/* Begins a table of revision 2 (integers of 64 bits): signature has 4 characters, oem_table_id at
 * most 8. */
void aml_open_table(struct aml *aml, const char *signature, const char *oem_table_id);

/* Fills in its length and its checksum. 0, or -EFBIG if it would be larger than AML_SIZE_MAX. */
int aml_close_table(struct aml *aml);

/* A path is absolute: "\\_SB.CPUS.C000"; a name of fewer than 4 characters is padded with '_'. */

/* Begins a scope, or a package of so many elements: what is added up to aml_close() with the
 * returned value is in it. */
size_t aml_open_scope(struct aml *aml, const char *path);
size_t aml_open_package(struct aml *aml, uint8_t n_elements);
void aml_close(struct aml *aml, size_t opened);

/* Begins what is never carried out: there alone is room for declarations. Then aml_close(). */
size_t aml_open_never(struct aml *aml);
/* A device that another table defines: for disassemblers. */
void aml_external_device(struct aml *aml, const char *path);

/* Begins a named object, of 4 characters; what comes next is its value. */
void aml_name(struct aml *aml, const char *name);
void aml_integer(struct aml *aml, uint64_t value);

/* A resource template of one register, of so many bits, at an I/O port. */
void aml_register_io(struct aml *aml, uint8_t bits, uint16_t port);
