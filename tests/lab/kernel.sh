# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Stock kernels, unpacked, never installed: one that has uclamp (the newest of trixie-backports), and for x86 Debian 12's own
# 6.1, which has not.

# Prints the version that the index has now, as in "7.3.4+deb13-cloud-amd64" (x86), "7.3.4+deb13-arm64".
kernel_resolve() {
    private_update "$(index_for kernel)" >&2
    apt-cache "${APT[@]}" search --names-only "^linux-binary-[0-9][^-]*-$ARCH_FLAVOUR\$" |
        sed -n 's/^linux-binary-\([^ ]*\) .*/\1/p' | sort -V | tail -n 1
}

# image_field IMAGE OFFSET SIZE: a little-endian number in it
image_field() { od -An -j "$2" -N "$3" -t "u$3" "$1" | tr -d ' '; }

# image_part IMAGE OFFSET SIZE: those bytes of it
image_part() { dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none; }

# kernel_unpack NAME INDEX VERSION PACKAGE...: cache/NAME-HASH with what is in the packages, and `version`; its path goes to
# run/NAME
kernel_unpack() {
    local name=$1 index=$2 version=$3 dir unpacked
    shift 3
    private_apt "$index"
    dir=$LAB_CACHE/$LAB_PREFIX$name-$(hash_of "$LAB_DIR/kernel.sh" "$(versions_of "$index" "$@")")
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
    local version old=''
    version=$(kernel_resolve)
    [[ -n $version ]] || die "no kernel for $ARCH_FLAVOUR in the index of trixie-backports"
    # linux-base has the lists of what is built in and the configuration
    kernel_unpack kernel "$(index_for kernel)" "$version" "linux-binary-$version" "linux-modules-$version" \
        "linux-base-$version"
    # for this, and before several steps at once want it
    private_update "$(index_for bookworm)" >&2
    if [[ $ARCH_KERNELS == *6.1* ]]; then
        old=$(apt-cache "${APT[@]}" depends linux-image-cloud-amd64 | sed -n 's/.*Depends: linux-image-//p' | head -n 1)
        [[ $old == 6.1.* ]] || die "no 6.1 cloud kernel in the index of bookworm"
        kernel_unpack oldkernel "$(index_for bookworm)" "$old" "linux-image-$old"
    fi
    note "$version${old:+, $old}"
}

# the names in the cache of what is unpacked, in one line
kernel_names() {
    local name
    for name in $ARCH_KERNELS; do
        basename "$(kernel_dir "$name")"
    done | xargs
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
