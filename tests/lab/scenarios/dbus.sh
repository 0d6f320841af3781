# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: nobody can read status and change nothing; root, and whom a polkit rule allows it, can reload, limit and release
# limit: 180
# hosts: uclamp
# order: 60

RULE=/etc/polkit-1/rules.d/50-vmfreq-lab.rules
ACTIONS='reload set-limit release-domain'

as_nobody() { host_run "runuser -u nobody -- $*"; }

# denied ACTION COMMAND...: as nobody it ends with 77, and says which action it takes
denied() {
    local action=$1 said code=0
    shift
    said=$(as_nobody "$*" 2>&1) || code=$?
    equal "exit code of '$*' as nobody" "$code" 77
    contains "what '$*' as nobody says" "$said" "org.vmfreq.host1.$action"
}

# All that changes something, each denied, but for the action that is named
all_denied() {
    [[ $1 == reload ]] || denied reload vmfreqctl reload
    [[ $1 == set-limit ]] || denied set-limit vmfreqctl limit "$GUEST" 10%
    [[ $1 == set-limit ]] || denied set-limit vmfreqctl limit "$GUEST" none
    [[ $1 == release-domain ]] || denied release-domain vmfreqctl release "$GUEST"
    [[ $1 == release-domain ]] || denied release-domain vmfreqctl resume "$GUEST"
}

# rule ACTION: one that allows it to nobody; polkitd sees the file by itself, in a moment
rule() {
    cat <<RULE
polkit.addRule(function(action, subject) {
    if (action.id == "org.vmfreq.$1" && subject.user == "nobody")
        return polkit.Result.YES;
});
RULE
}

allow() { rule "host1.$1" | host_pipe "cat >$RULE"; }

guest_as_nobody() { guest_run "setpriv --reuid=nobody --regid=nogroup --clear-groups sh -c '$*'"; }
try_guest_reload() { guest_as_nobody vmfreqctl reload >/dev/null 2>&1; }

try_as_nobody() { as_nobody "$*" >/dev/null 2>&1; }

# COMMAND of vmfreqctl that is harmless by now, of the action
sample_of() {
    case $1 in
        reload) echo vmfreqctl reload ;;
        set-limit) echo vmfreqctl limit "$GUEST" none ;;
        release-domain) echo vmfreqctl resume "$GUEST" ;;
    esac
}

scenario() {
    local before action

    # guestd may be streaming from the scenario before: the list is what was there without hostd
    before=$(listing)
    loop_start 'actuator = thread' 'placement = off'
    load_start --cpus 1 --busy 600000
    eventually 20 "vCPU 1 has a floor" floor_at_least 1 900

    # nobody reads, all of it, and changes nothing
    contains "status as nobody" "$(as_nobody vmfreqctl status)" "$GUEST"
    contains "the objects as nobody" "$(as_nobody busctl tree --list org.vmfreq.Host1)" '/org/vmfreq/Host1/domain/'
    all_denied nothing
    at_least "vCPU 1's floor after that" "$(effective_floor 1)" 900

    # root: a limit caps the floor, a release puts all back, and both outlive a restart
    host_run "vmfreqctl limit $GUEST 50%"
    eventually 10 "vCPU 1's floor is capped" floor_at_most 1 512
    at_least "vCPU 1's floor" "$(effective_floor 1)" 256
    host_run "vmfreqctl release $GUEST"
    eventually 10 "vCPU 1 is released" floor_is 1 0
    equal "everything, released" "$(listing)" "$before"
    host_run 'systemctl restart vmfreq-hostd'
    eventually 30 "the guest streams again" is_streaming
    equal "released, after a restart" "$(status '.domains[0].released')" true
    floor_is 1 0 || fail "it has a floor although it is released"
    host_run "vmfreqctl resume $GUEST"
    eventually 20 "vCPU 1 has a floor again" floor_at_least 1 256
    at_most "vCPU 1's floor, still limited" "$(effective_floor 1)" 512
    host_run "vmfreqctl limit $GUEST none"
    eventually 10 "vCPU 1's floor is free" floor_at_least 1 900
    host_run 'vmfreqctl reload'
    host_run "echo 'floor_max = 200%' >>/etc/vmfreq.conf"
    contains "reload of a wrong configuration" "$(host_run 'vmfreqctl reload' 2>&1 || true)" floor_max
    host_run "sed -i '\$d' /etc/vmfreq.conf"

    # guestd's: nobody reads, and reloads only by a rule; root does
    contains "guestd's status as nobody" "$(guest_as_nobody vmfreqctl status)" streaming
    contains "reload in the guest as nobody" "$(guest_as_nobody 'vmfreqctl reload 2>&1 || echo "exit code $?"')" \
        'org.vmfreq.guest1.reload.*exit code 77'
    guest_run 'vmfreqctl reload'
    rule guest1.reload | guest_pipe "$RULE"
    eventually 20 "the rule for guest1.reload holds" try_guest_reload
    guest_run "rm $RULE"

    # a rule: that one action, and no other
    for action in $ACTIONS; do
        allow "$action"
        # shellcheck disable=SC2046
        eventually 20 "the rule for $action holds" try_as_nobody $(sample_of "$action")
        all_denied "$action"
    done
    measured "each of $(($(wc -w <<<"$ACTIONS") + 1)) actions allowed and denied"
}

cleanup() {
    host_run "rm -f $RULE /run/vmfreq/limits"
    loop_cleanup
}
