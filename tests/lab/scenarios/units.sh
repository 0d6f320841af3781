# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: hostd's units: socket, reload, watchdog, a libvirtd that hangs, exit codes 69 and 78, a stop that is one
# limit: 240
# order: 84
# hosts: uclamp

# with LINE...: hostd's unit with these lines of a drop-in
with() {
    host_run "mkdir -p $HOSTD_DROPIN && printf '%s\n' $(printf '%q ' "$@") >$HOSTD_DROPIN/lab.conf && systemctl daemon-reload"
}

shown() { host_run "systemctl show -P $1 vmfreq-hostd.${2:-service}"; }

is_state() { [[ $(shown ActiveState) == "$1" ]]; }

was_restarted() { (($(shown NRestarts) == $1)) && [[ $(shown ActiveState) == active ]]; }

# ended RESULT STATUS: how hostd's last run failed, and that it isn't tried again
ended() {
    eventually 30 "hostd has failed" is_state failed
    sleep 3
    equal "the result" "$(shown Result)" "$1"
    equal "the exit code" "$(shown ExecMainStatus)" "$2"
    equal "restarts" "$(shown NRestarts)" 0
}

scenario() {
    local socket started
    loop_start

    # the socket outlives a restart; a daemon that is killed is started again, and its socket with it
    socket=$(shown ActiveEnterTimestampMonotonic socket)
    host_run 'systemctl restart vmfreq-hostd'
    equal "the socket after a restart: since" "$(shown ActiveEnterTimestampMonotonic socket)" "$socket"
    eventually 30 "streaming after a restart" is_streaming
    # shellcheck disable=SC2016 # for the host VM's shell
    host_run 'kill -KILL $(systemctl show -P MainPID vmfreq-hostd)'
    eventually 30 "a killed hostd is back" was_restarted 1
    eventually 30 "streaming after a kill" is_streaming
    equal "the socket after a kill" "$(shown ActiveState socket)" active

    # libvirtd hangs, for longer than the watchdog waits; then hostd itself does
    with '[Service]' WatchdogSec=12 TimeoutAbortSec=1
    host_run 'systemctl reset-failed vmfreq-hostd; systemctl restart vmfreq-hostd'
    eventually 30 "streaming under the watchdog" is_streaming
    # shellcheck disable=SC2016
    host_run 'pid=$(systemctl show -P MainPID libvirtd) && kill -STOP $pid && sleep 20; kill -CONT $pid'
    equal "restarts while libvirtd hung" "$(shown NRestarts)" 0
    is_streaming || fail "the guest doesn't stream while libvirtd hangs"
    started=$(now)
    # shellcheck disable=SC2016
    host_run 'kill -STOP $(systemctl show -P MainPID vmfreq-hostd)'
    eventually 40 "the watchdog starts a hostd that hangs anew" was_restarted 1
    measured "the watchdog took $((($(now) - started) / 1000000)) s of 12"

    host_run 'systemctl reload vmfreq-hostd'
    equal "hostd after a reload" "$(shown ActiveState)" active

    # a stop is a stop, though the guest goes on calling
    host_run 'systemctl stop vmfreq-hostd; sleep 8'
    equal "hostd after a stop" "$(shown ActiveState)" inactive
    equal "its socket after a stop" "$(shown ActiveState socket)" inactive

    # the wrong machine: skipped; found out by hostd itself; neither is a failure
    with '[Unit]' ConditionPathExists=/nonexistent
    host_run 'systemctl start vmfreq-hostd'
    equal "the condition" "$(shown ConditionResult)" no
    equal "hostd where it is skipped" "$(shown ActiveState)" inactive
    with '[Service]' ExecStart= 'ExecStart=/usr/sbin/vmfreq-hostd --root=/usr/share'
    equal "its exit code" "$(host_run 'vmfreq-hostd --root=/usr/share 2>/dev/null; echo $?')" 69
    # systemd forgets what it knew of a service that has ended well: the state is all there is
    host_run 'systemctl start vmfreq-hostd'
    eventually 30 "hostd on the wrong machine has ended well" is_state inactive
    sleep 3
    equal "hostd on the wrong machine, later" "$(shown ActiveState)" inactive

    # a wrong configuration is one, and the guest that goes on calling has nobody started again
    host_run "rm -rf $HOSTD_DROPIN; systemctl daemon-reload; echo nonsense >/etc/vmfreq.conf"
    if host_run 'systemctl start vmfreq-hostd'; then
        fail "hostd starts with a wrong configuration"
    fi
    ended exit-code 78
    equal "the socket of a hostd that can't start" "$(shown ActiveState socket)" inactive
    host_run 'echo "[host]" >/etc/vmfreq.conf; systemctl start vmfreq-hostd'
    eventually 30 "streaming once the configuration is right" is_streaming
}

cleanup() {
    # shellcheck disable=SC2016
    host_run 'kill -CONT $(systemctl show -P MainPID libvirtd) $(systemctl show -P MainPID vmfreq-hostd)' || true
    hostd_journal 60 || true
    loop_cleanup
    host_run 'systemctl reset-failed vmfreq-hostd vmfreq-hostd.socket 2>/dev/null; true'
}
