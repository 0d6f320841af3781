# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What vmfreq is compiled against where the lab isn't of the build machine's architecture. Nothing of it is run.

# cache/sysroot-HASH: the libraries that vmfreq is linked with, unpacked; its path goes to run/sysroot
sysroot_make() {
    local dir work packages index
    packages=$(packages_in sysroot)
    index=$(index_for bookworm)
    private_update "$index" >&2
    # shellcheck disable=SC2086
    dir=$LAB_CACHE/${LAB_PREFIX}sysroot-$(hash_of "$LAB_DIR/sysroot.sh" "$(declare -f packages_unpack)" \
        "$(versions_of "$index" $packages)")
    if [[ ! -d $dir ]]; then
        work=$(mktemp -d "$LAB_CACHE/tmp.XXXXXX")
        # shellcheck disable=SC2086
        packages_unpack "$index" "$work/root" $packages
        sysroot_links "$work/root"
        mv "$work/root" "$dir"
        rm -rf "$work"
    fi
    touch "$dir"
    keep_newest sysroot
    echo "$dir" >"$LAB_RUN/sysroot"
}

# A link to /lib/... means that of the sysroot.
sysroot_links() {
    local link target
    find "$1" -type l -lname '/*' | while read -r link; do
        target=$(readlink "$link")
        ln -sfnr "$1$target" "$link"
    done
}
