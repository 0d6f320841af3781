#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes the ASL of an SSDT that gives N emulated CPUs a set of P-states, so that the stock acpi-cpufreq driver binds
# to them: `ssdt.sh N >ssdt.asl`, then iasl, then QEMU's -acpitable. The control and status registers are an I/O port
# that no device answers on: setting a frequency changes what the kernel believes and nothing else, which is all that
# a governor, uclamp and vmfreq look at. It must name exactly the CPUs that exist. Each CPU is its own frequency
# domain, so that a floor under one thread shows on one CPU alone.

set -eu

cpus=${1:?usage: ssdt.sh NUMBER_OF_CPUS}
port=0x05F0
speeds_mhz=(3000 2400 1800 1200 600)

printf 'DefinitionBlock ("", "SSDT", 2, "VMFREQ", "PSTATES", 1)\n{\n'
for ((cpu = 0; cpu < cpus; cpu++)); do
    path=$(printf '\\_SB.CPUS.C%03X' "$cpu")
    printf '    External (%s, DeviceObj)\n    Scope (%s)\n    {\n' "$path" "$path"
    printf '        Name (_PCT, Package () {\n'
    printf '            ResourceTemplate () { Register (SystemIO, 16, 0, 0x%04X) },\n' "$port" "$port"
    printf '        })\n'
    # frequency (MHz), power (mW), latency (us), bus master latency (us), control, status
    printf '        Name (_PSS, Package () {\n'
    for i in "${!speeds_mhz[@]}"; do
        printf '            Package () { %d, %d, 10, 10, %d, %d },\n' "${speeds_mhz[i]}" \
            $((speeds_mhz[i] * speeds_mhz[i] / 900)) "$i" "$i"
    done
    printf '        })\n'
    printf '        Name (_PPC, Zero)\n'
    # five entries, revision 0, domain, any CPU of the domain may ask (0xFD), one CPU in it
    printf '        Name (_PSD, Package () { Package () { 5, 0, %d, 0xFD, 1 } })\n' "$cpu"
    printf '    }\n'
done
printf '}\n'
