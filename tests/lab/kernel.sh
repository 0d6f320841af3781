# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A stock kernel that has uclamp: the newest cloud-amd64 of trixie-backports, unpacked, never installed.

# Prints the version that the index has now, as in "7.3.4+deb13-cloud-amd64".
kernel_resolve() {
    private_update kernel >&2
    apt-cache "${APT[@]}" search --names-only '^linux-binary-[0-9].*-cloud-amd64$' |
        sed -n 's/^linux-binary-\([^ ]*\) .*/\1/p' | sort -V | tail -n 1
}

# The uncompressed kernel inside a bzImage: PVH entry, so nothing is to be decompressed under emulation. The offsets are
# those of the kernel's boot protocol (setup_sects, payload_offset, payload_length); the payload ends with its size.
kernel_uncompress() {
    local image=$1 sectors offset length
    field() { od -An -j "$1" -N "$2" -t "u$2" "$image" | tr -d ' '; }
    sectors=$(field 497 1)
    offset=$(field 584 4)
    length=$(field 588 4)
    unset -f field
    dd if="$image" bs=1M iflag=skip_bytes,count_bytes skip="$(((sectors + 1) * 512 + offset))" count="$((length - 4))" \
        status=none | zstd -dcq
}

# cache/kernel-HASH: usr/lib/modules/VERSION and `version`; its path goes to run/kernel
kernel_fetch() {
    local version dir unpacked
    version=$(kernel_resolve)
    [[ -n $version ]] || die "no cloud kernel in the index of trixie-backports"
    private_apt kernel
    dir=$LAB_CACHE/kernel-$(hash_of "$LAB_DIR/kernel.sh" \
        "$(versions_of kernel "linux-binary-$version" "linux-modules-$version" "linux-base-$version")")
    if [[ -d $dir ]]; then
        note "$version (cached)"
    else
        unpacked=$(mktemp -d "$LAB_CACHE/tmp.XXXXXX")
        (
            cd "$unpacked" || exit
            # linux-base has the lists of what is built in and the configuration
            apt-get "${APT[@]}" download "linux-binary-$version" "linux-modules-$version" "linux-base-$version"
            for package in *.deb; do
                dpkg-deb -x "$package" .
            done
            rm -rf ./*.deb usr/share
        )
        echo "$version" >"$unpacked/version"
        chmod 755 "$unpacked"
        mv "$unpacked" "$dir"
        note "$version"
    fi
    touch "$dir"
    keep_newest kernel
    echo "$dir" >"$LAB_RUN/kernel"
}
