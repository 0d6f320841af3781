/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ACPI table that gives a guest's CPUs P-states: ACPI 6.5, 8.4.5 (_PCT, _PSS, _PPC, _PSD).
 * Pure. */
#include "ctl/ssdt.h"

#include <stdio.h>

#include "common/macro.h"

/* Control and status register: a port that no device of QEMU's answers on, so that to set a
 * frequency changes what the guest's kernel believes, and nothing else. */
#define PORT	   0x5f0U
#define PORT_BITS  16U
#define LATENCY_US 10U

/* Any CPU of a frequency domain may set it. */
#define COORDINATION_SW_ANY 0xfdU

/* The path of a CPU's device, as QEMU names it. */
static const char *path_of(unsigned cpu, char *buffer, size_t size)
{
	snprintf(buffer, size, "\\_SB.CPUS.C%03X", cpu);
	return buffer;
}

static void add_registers(struct aml *aml)
{
	size_t package;

	aml_name(aml, "_PCT");
	package = aml_open_package(aml, 2);
	aml_register_io(aml, PORT_BITS, PORT); /* control */
	aml_register_io(aml, PORT_BITS, PORT); /* status */
	aml_close(aml, package);
}

/* mW, made up: 10 W at 3 GHz, and with the square of the frequency. Nothing goes by it. */
static uint64_t power_of(uint64_t mhz)
{
	return mhz * mhz / 900;
}

static void add_states(struct aml *aml, const struct frequencies *frequencies)
{
	size_t states;

	aml_name(aml, "_PSS");
	states = aml_open_package(aml, (uint8_t)frequencies->n);
	for (unsigned i = 0; i < frequencies->n; i++) {
		uint64_t mhz = frequencies->khz[i] / 1000;
		size_t state = aml_open_package(aml, 6);

		aml_integer(aml, mhz);
		aml_integer(aml, power_of(mhz));
		aml_integer(aml, LATENCY_US); /* of a change */
		aml_integer(aml, LATENCY_US); /* in which bus masters can't reach memory */
		aml_integer(aml, i);	      /* what is written to control */
		aml_integer(aml, i);	      /* what status then says */
		aml_close(aml, state);
	}
	aml_close(aml, states);
}

/* A domain of its own: a floor below one vCPU's thread shows on that CPU alone. */
static void add_domain(struct aml *aml, unsigned cpu)
{
	size_t package, domain;

	aml_name(aml, "_PSD");
	package = aml_open_package(aml, 1);
	domain = aml_open_package(aml, 5);
	aml_integer(aml, 5); /* entries */
	aml_integer(aml, 0); /* revision */
	aml_integer(aml, cpu);
	aml_integer(aml, COORDINATION_SW_ANY);
	aml_integer(aml, 1); /* CPUs in it */
	aml_close(aml, domain);
	aml_close(aml, package);
}

int ssdt_pstates(struct aml *ret, unsigned n_cpus, const struct frequencies *frequencies)
{
	char path[32];
	size_t never;

	if (n_cpus == 0 || n_cpus > SSDT_CPUS_MAX)
		return -EINVAL;
	aml_open_table(ret, "SSDT", "PSTATES");
	never = aml_open_never(ret);
	for (unsigned cpu = 0; cpu < n_cpus; cpu++)
		aml_external_device(ret, path_of(cpu, path, sizeof(path)));
	aml_close(ret, never);
	for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
		size_t scope = aml_open_scope(ret, path_of(cpu, path, sizeof(path)));

		add_registers(ret);
		add_states(ret, frequencies);
		aml_name(ret, "_PPC");
		aml_integer(ret, 0); /* all of the states may be used */
		add_domain(ret, cpu);
		aml_close(ret, scope);
	}
	return aml_close_table(ret);
}
