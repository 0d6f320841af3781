# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Building vmfreq for LAB_ARCH outside of the working tree, as a user with no rights: a copy of the sources, a build directory,
# and a tree that `make install` filled.

# shellcheck disable=SC2153 # from lib.sh
LAB_SOURCE=$LAB_ROOM/source
LAB_BUILD=$LAB_ROOM/build
LAB_STAGE=$LAB_ROOM/stage
LAB_USER=nobody
# beside what the architecture asks for (BUILD_CONFIGURE)
BUILD_MORE=()

# as_nobody COMMAND...: no rights, no network
as_nobody() {
    unshare -n setpriv --reuid="$LAB_USER" --regid=nogroup --clear-groups --no-new-privs \
        env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$LAB_STATE" LC_ALL=C.UTF-8 "$@"
}

# What git would commit, as it is in the working tree now; times are kept, so that make does only what it must.
build_copy() {
    local list=$LAB_ROOM/source.files
    mkdir -p "$LAB_SOURCE" "$LAB_BUILD"
    git -c safe.directory="$LAB_TOP" -C "$LAB_TOP" ls-files -co --exclude-standard | while read -r file; do
        [[ -e $LAB_TOP/$file ]] && echo "$file"
    done | sort >"$list.new"
    if [[ -f $list ]]; then
        comm -23 "$list" "$list.new" | while read -r file; do
            rm -f "$LAB_SOURCE/$file"
        done
    fi
    tar -C "$LAB_TOP" -c --no-recursion -T "$list.new" | tar -C "$LAB_SOURCE" -x
    mv "$list.new" "$list"
    chown -R "$LAB_USER:nogroup" "$LAB_SOURCE" "$LAB_BUILD"
}

build_make() {
    local made
    build_prepare
    build_copy
    as_nobody test -r "$LAB_SOURCE/configure.ac" || die "$LAB_USER can't read $LAB_STATE: choose another VMFREQ_LAB_STATE"
    made=$(cd "$LAB_SOURCE" && hash_of configure.ac Makefile.am "${BUILD_CONFIGURE[*]} ${BUILD_MORE[*]}")
    if [[ $made != "$(cat "$LAB_BUILD.configured" 2>/dev/null)" ]]; then
        rm -f "$LAB_BUILD.configured"
        as_nobody autoreconf -fi "$LAB_SOURCE"
        rm -rf "$LAB_BUILD"
        install -d -o "$LAB_USER" -g nogroup "$LAB_BUILD"
        as_nobody env -C "$LAB_BUILD" "$LAB_SOURCE/configure" --prefix=/usr --sysconfdir=/etc --localstatedir=/var \
            "${BUILD_CONFIGURE[@]}" "${BUILD_MORE[@]}"
        echo "$made" >"$LAB_BUILD.configured"
    fi
    as_nobody make -C "$LAB_BUILD" -j"$(nproc)"
    rm -rf "$LAB_STAGE"
    mkdir -p "$LAB_STAGE"
    make -s -C "$LAB_BUILD" install DESTDIR="$LAB_STAGE"
}

build_check() {
    rm -f "$LAB_BUILD/test-suite.log"
    as_nobody make -C "$LAB_BUILD" -j"$(nproc)" check
    note "$(build_check_counts | awk '{ print $1 " passed, " $2 " failed, " $3 " skipped" }')"
}

# "passed failed skipped" of the last make check; one failed if it did not come as far as running tests. A case that a
# unit test skips inside counts as skipped, beside the test that passed.
build_check_counts() {
    if [[ ! -f $LAB_BUILD/test-suite.log ]]; then
        echo 0 1 0
        return
    fi
    awk -F': *' -v cases="$(build_check_skips | grep -c '^case ')" '
        /^# PASS:/ || /^# XFAIL:/ { passed += $2 }
        /^# FAIL:/ || /^# XPASS:/ || /^# ERROR:/ { failed += $2 }
        /^# SKIP:/ { skipped += $2 }
        END { print passed + 0, failed + 0, skipped + cases + 0 }' "$LAB_BUILD"/test-suite.log
}

# What it skipped, a line each: "test NAME: REASON", or "case NAME: FUNCTION: REASON"
build_check_skips() {
    local result log name kind
    while read -r result; do
        log=${result%.trs}.log
        name=${log#"$LAB_BUILD/"}
        name=${name%.log}
        kind=case
        ! grep -q -x ':test-result: SKIP' "$result" || kind='test'
        sed -n "s,^SKIP: ,$kind $name: ,p" "$log"
    done < <(find "$LAB_BUILD/tests" -name '*.trs' | sort)
}

# What make install made, into the running host VM.
project_install() {
    host_unpack "$LAB_STAGE"
    floor_of_install
    host_run 'systemctl daemon-reload && { systemctl reload dbus || true; }'
}

# guest_tar: the same for the guest, but for what is the host's alone and what nobody reads there
guest_tar() {
    tar -C "$LAB_STAGE" --exclude='*hostd*' --exclude='*Host1*' --exclude='./usr/share/'{man,zsh,bash-completion} \
        --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c .
}
