# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two stock kernels, unpacked, never installed: one that has uclamp (the newest cloud-amd64 of trixie-backports), and Debian
# 12's own 6.1, which has not.

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

# kernel_unpack NAME SUITE VERSION PACKAGE...: cache/NAME-HASH with what is in the packages (of the private index SUITE), and
# `version`; its path goes to run/NAME
kernel_unpack() {
    local name=$1 suite=$2 version=$3 dir unpacked
    shift 3
    private_apt "$suite"
    dir=$LAB_CACHE/$name-$(hash_of "$LAB_DIR/kernel.sh" "$(versions_of "$suite" "$@")")
    if [[ ! -d $dir ]]; then
        unpacked=$(mktemp -d "$LAB_CACHE/tmp.XXXXXX")
        (
            cd "$unpacked" || exit
            apt-get "${APT[@]}" download "$@"
            for package in *.deb; do
                dpkg-deb -x "$package" .
            done
            rm -rf ./*.deb usr/share
        )
        echo "$version" >"$unpacked/version"
        chmod 755 "$unpacked"
        mv "$unpacked" "$dir"
    fi
    touch "$dir"
    keep_newest "$name"
    echo "$dir" >"$LAB_RUN/$name"
}

kernel_fetch() {
    local version old
    version=$(kernel_resolve)
    [[ -n $version ]] || die "no cloud kernel in the index of trixie-backports"
    # linux-base has the lists of what is built in and the configuration
    kernel_unpack kernel kernel "$version" "linux-binary-$version" "linux-modules-$version" "linux-base-$version"
    private_update bookworm >&2
    old=$(apt-cache "${APT[@]}" depends linux-image-cloud-amd64 | sed -n 's/.*Depends: linux-image-//p' | head -n 1)
    [[ $old == 6.1.* ]] || die "no 6.1 cloud kernel in the index of bookworm"
    kernel_unpack oldkernel bookworm "$old" "linux-image-$old"
    note "$version, $old"
}

# ---- what is unpacked, by name: "uclamp" is the newest, "6.1" Debian 12's own

kernel_dir() { if [[ $1 == uclamp ]]; then cat "$LAB_RUN/kernel"; else cat "$LAB_RUN/oldkernel"; fi; }

kernel_version() { cat "$(kernel_dir "$1")/version"; }

# the directory of its modules
kernel_modules() {
    local dir version
    dir=$(kernel_dir "$1")
    version=$(<"$dir/version")
    if [[ -d $dir/usr/lib/modules/$version ]]; then
        echo "$dir/usr/lib/modules/$version"
    else
        echo "$dir/lib/modules/$version"
    fi
}

# the compressed kernel
kernel_image() {
    local modules
    modules=$(kernel_modules "$1")
    if [[ -e $modules/vmlinuz ]]; then
        echo "$modules/vmlinuz"
    else
        echo "$(kernel_dir "$1")/boot/vmlinuz-$(kernel_version "$1")"
    fi
}
