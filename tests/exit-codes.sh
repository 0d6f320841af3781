#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The programs' exit codes, as their man pages have them, from the programs themselves. None of these
# runs comes as far as a vsock socket or a bus. `make check` runs it in the build directory.
set -u
export LC_ALL=C

builddir=$(cd "${builddir:-.}" && pwd)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root # a machine with no vsock, and no cpufreq
mkdir -p "$root/run" "$root/proc/sys/kernel/random"
echo 00112233-4455-6677-8899-aabbccddeeff > "$root/proc/sys/kernel/random/boot_id"
echo '[host]' > "$scratch/good.conf"
echo 'nonsense' > "$scratch/bad.conf"
failed=0 n=0
unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$scratch/no-bus

# expect CODE PATTERN COMMAND...: it ends with that code and says that
expect() {
	local code=$1 pattern=$2 got=0
	shift 2
	n=$((n + 1))
	timeout 20 "$@" > "$scratch/out" 2>&1 < /dev/null || got=$?
	if [ $got -ne "$code" ]; then
		echo "FAIL: '$*' ended with $got, not with $code:"
		cat "$scratch/out"
		failed=1
	elif [ -n "$pattern" ] && ! grep -q -e "$pattern" "$scratch/out"; then
		echo "FAIL: '$*' doesn't say '$pattern':"
		cat "$scratch/out"
		failed=1
	fi
}

for name in guestd hostd; do
	daemon=$builddir/vmfreq-$name
	expect 0 '69' "$daemon" --help
	expect 0 "vmfreq-$name [0-9]" "$daemon" --version
	expect 0 '' "$daemon" --restore --root="$root"
	expect 1 'No such file' "$daemon" --restore --root="$scratch/missing"
	expect 64 'nonsense' "$daemon" --nonsense
	expect 64 'one word too many' "$daemon" nonsense
	expect 64 'no log level' "$daemon" --log-level=nonsense
	# A wrong configuration is said first: it would be wrong on any machine.
	expect 78 'bad.conf' "$daemon" --root="$root" --config="$scratch/bad.conf"
	expect 69 "<vsock model='virtio'>\|modprobe vhost_vsock" \
		"$daemon" --root="$root" --config="$scratch/good.conf"
done

# --restore gives back what a killed guestd has written down, and says so; a second finds nothing to do.
policy=$root/sys/devices/system/cpu/cpufreq/policy0
mkdir -p "$policy" "$root/run/vmfreq-guestd"
echo userspace > "$policy/scaling_governor"
echo 'policy0 schedutil 0' > "$root/run/vmfreq-guestd/cpufreq"
expect 0 '1 policies put back, 0 left' "$builddir/vmfreq-guestd" --restore --root="$root"
if [ "$(cat "$policy/scaling_governor")" != schedutil ] || [ -e "$root/run/vmfreq-guestd/cpufreq" ]; then
	echo "FAIL: --restore left $(cat "$policy/scaling_governor")"
	failed=1
fi
expect 0 '' "$builddir/vmfreq-guestd" --restore --root="$root"
if [ -s "$scratch/out" ]; then
	echo "FAIL: --restore speaks though there was nothing to do:"
	cat "$scratch/out"
	failed=1
fi
rm -r "$root/sys"

# hostd opens no socket where systemd hands it one: here a file, which is none.
mkdir -p "$root/sys/class/misc/vhost-vsock" "$root/sys/devices/system/cpu"
echo 0-1 | tee "$root/sys/devices/system/cpu/online" > "$root/sys/devices/system/cpu/possible"
echo 7.3.1-test > "$root/proc/sys/kernel/osrelease"
# shellcheck disable=SC2016 # for that shell
expect 78 'not one vsock socket' bash -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3< /dev/null' bash \
	"$builddir/vmfreq-hostd" --dry-run --root="$root" --config="$scratch/good.conf"

ctl=$builddir/vmfreqctl
expect 0 'Options of status' "$ctl" --help
expect 0 'vmfreqctl [0-9]' "$ctl" --version
expect 64 'Say a command' "$ctl" --json
expect 64 "no command 'nonsense'" "$ctl" nonsense
expect 64 '10ms or more' "$ctl" --watch=9ms status
# What only shows has nothing to say to what changes something.
for command in reload 'limit web 50%' 'limit web none' 'release web' 'resume web'; do
	# shellcheck disable=SC2086 # words
	{
		expect 1 'bus' "$ctl" $command
		expect 64 "json is an option of status, not of ${command%% *}" "$ctl" --json $command
		expect 64 "json is an option of status, not of ${command%% *}" "$ctl" $command --json
		expect 64 "watch is an option of status, not of ${command%% *}" "$ctl" -w $command
		expect 64 "watch is an option of status, not of ${command%% *}" "$ctl" --watch=1s $command
	}
done
expect 1 'bus' "$ctl" --json --watch status

# The tables of a guest ask nobody.
two=--frequencies=600MHz,1GHz
expect 0 '<qemu:arg value=' "$ctl" guest-acpi --cpus=2 $two --output="$scratch/aml"
expect 0 '^SSDT' "$ctl" guest-acpi --cpus=2 $two
expect 64 'cpus is missing' "$ctl" guest-acpi $two
expect 64 'frequencies is missing' "$ctl" guest-acpi --cpus=2
expect 64 'number from 1 to 4096' "$ctl" guest-acpi --cpus=0 $two
expect 64 'number from 1 to 4096' "$ctl" guest-acpi --cpus=4097 $two
expect 64 'number from 1 to 4096' "$ctl" guest-acpi --cpus=-1 $two
expect 64 'name fewer' "$ctl" guest-acpi --cpus=4096 $two
expect 64 '600MHz is there twice' "$ctl" guest-acpi --cpus=2 $two,600MHz
expect 64 'whole MHz' "$ctl" guest-acpi --cpus=2 $two,700.5MHz
expect 64 "clusters is an option of guest-dtb, not of guest-acpi" \
	"$ctl" guest-acpi --cpus=2 $two --clusters=0-1
expect 64 "output is an option of guest-acpi and guest-dtb, not of status" "$ctl" status --output=x
expect 64 "json is an option of status, not of guest-acpi" "$ctl" guest-acpi --cpus=2 $two --json
expect 64 'guest-acpi' "$ctl" guest-acpi web
expect 1 'no file' "$ctl" guest-acpi --cpus=2 $two --output="$scratch"
expect 1 'No such file' "$ctl" guest-acpi --cpus=2 $two --output="$scratch/missing/aml"
expect 1 "can't be written: No space" bash -c "'$ctl' guest-acpi --cpus=2 $two > /dev/full"
expect 64 'input is missing' "$ctl" guest-dtb $two --output="$scratch/dtb"
expect 64 'output is missing' "$ctl" guest-dtb $two --input="$scratch/dtb"
expect 64 'frequencies is missing' "$ctl" guest-dtb --input=a --output="$scratch/dtb"
expect 64 "no list of CPUs" "$ctl" guest-dtb $two --input=a --output="$scratch/dtb" --clusters=x
expect 1 'No such file' "$ctl" guest-dtb $two --input="$scratch/missing" --output="$scratch/dtb"

[ $failed -eq 0 ] && echo "PASS: $n runs ended as documented"
exit $failed
