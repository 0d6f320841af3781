# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Debian's packages: what the build machine needs, and suites that it has not in its sources. The machine's own sources
# are read, never changed; other suites get a sources list and apt folders of their own below the cache.

export DEBIAN_FRONTEND=noninteractive

# Of an index only the packages: where apt-file is installed, apt fetches the lists of all files too, and fails with them.
APT_PACKAGES_ONLY=(
    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
    -o Acquire::IndexTargets::deb-src::Contents-dsc::DefaultEnabled=false
)

# packages_lists NAME: the package lists NAME.packages and NAME-ARCH.packages in lists/, those that there are
packages_lists() {
    local list
    for list in "$LAB_DIR/lists/$1.packages" "$LAB_DIR/lists/$1-$LAB_ARCH.packages"; do
        [[ ! -f $list ]] || echo "$list"
    done
}

# packages_in NAME: their words: one package a line, # begins a comment
packages_in() { packages_lists "$1" | xargs cat | sed 's/#.*//' | xargs; }

packages_missing() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

# The machine's index, refreshed when it is missing or a day old.
packages_update() {
    local stamp=$LAB_CACHE/apt/machine.stamp
    if [[ -z $(find "$stamp" -mmin -1440 2>/dev/null) ]] || [[ -z $(mirror_lines) ]]; then
        apt-get -q "${APT_PACKAGES_ONLY[@]}" update
        mkdir -p "${stamp%/*}"
        touch "$stamp"
    fi
}

# packages_install NAME: from the machine's own sources
packages_install() {
    local missing
    # shellcheck disable=SC2046
    missing=$(packages_missing $(packages_in "$1"))
    if [[ -z $missing ]]; then
        note "nothing missing"
        return
    fi
    packages_update
    # shellcheck disable=SC2086
    apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 install $missing
    # shellcheck disable=SC2086
    note "$(wc -w <<<$missing) packages"
}

# ---- other suites

# "URI SUITE KEYRING": the lines of the machine's index that are Debian's main archive and its security archive
mirror_lines() {
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)|$(CODENAME)' 'Created-By: Packages' 2>/dev/null |
        awk -F'|' '$1 == "Debian" && ($2 == "Debian" || $2 == "Debian-Security") { print $2, $3, $4 }' | sort -u
}

# mirror Debian|Debian-Security: its URI
mirror() {
    local uri
    uri=$(mirror_lines | awk -v label="$1" '$1 == label { print $2; exit }')
    [[ -n $uri ]] || die "apt on this machine has no $1 archive to take packages from"
    echo "$uri"
}

# An index has a name: that of its suite, and -ARCH after it where the packages are for another architecture than the build
# machine's. index_for SUITE: that for LAB_ARCH.
index_for() { echo "$1${ARCH_INDEX:+-$ARCH_INDEX}"; }

# Debian 12 and its backports (QEMU 10), for the build machine's QEMU and for the host VM's root file system
sources_bookworm() {
    local main security
    main=$(mirror Debian)
    security=$(mirror_lines | awk '$1 == "Debian-Security" { print $2; exit }')
    echo "deb $main bookworm main"
    echo "deb $main bookworm-updates main"
    [[ -z $security ]] || echo "deb $security bookworm-security main"
    echo "deb $main bookworm-backports main"
}

sources_kernel() { echo "deb $(mirror Debian) trixie-backports main"; }

# private_apt INDEX: options that make apt work in folders of its own (in the array APT)
private_apt() {
    local dir=$LAB_CACHE/apt/$1
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    APT=(
        -q -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o Acquire::Languages=none
        -o APT::Sandbox::User=root -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "${APT_PACKAGES_ONLY[@]}"
    )
    [[ $1 == *-* ]] || return 0
    # what is installed here is of another architecture, and says nothing
    : >"$dir/status"
    APT+=(-o "APT::Architecture=${1#*-}" -o "APT::Architectures=${1#*-}" -o "Dir::State::status=$dir/status")
}

# private_update INDEX: refreshed when its sources changed or it is a day old
private_update() {
    local dir=$LAB_CACHE/apt/$1 sources
    private_apt "$1"
    packages_update
    sources=$("sources_${1%%-*}")
    if [[ -z $(find "$dir/stamp" -mmin -1440 2>/dev/null) || $sources != "$(cat "$dir/sources.list" 2>/dev/null)" ]]; then
        rm -f "$dir/stamp"
        echo "$sources" >"$dir/sources.list"
        apt-get "${APT[@]}" update
        touch "$dir/stamp"
    fi
}

# QEMU 10 of bookworm-backports: Debian 12's own 7.2 breaks x86 kernels' self-patching code with several vCPUs.
packages_qemu() {
    local version
    version=$(dpkg-query -W -f '${Version}' "$ARCH_QEMU" 2>/dev/null || true)
    if [[ -n $version ]] && dpkg --compare-versions "$version" ge 1:10; then
        note "QEMU $version"
        return
    fi
    private_update bookworm
    apt-get "${APT[@]}" -y --no-install-recommends -t bookworm-backports install "$ARCH_QEMU"
    note "QEMU $(dpkg-query -W -f '${Version}' "$ARCH_QEMU")"
}

# versions_of INDEX PACKAGE...: "package version" as it would install them
versions_of() {
    local name=$1
    shift
    private_apt "$name"
    apt-cache "${APT[@]}" -o "Dir::Etc::Preferences=$LAB_DIR/lists/host-$LAB_ARCH.preferences" policy "$@" |
        awk '/^[^ ]/ { package = $1 } $1 == "Candidate:" { print package, $2 }'
}
