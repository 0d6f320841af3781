# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A kernel's modules in a root file system, and an initramfs that finds the disk of it.

# modules_for ROOT KERNEL NAME...: the files in ROOT that these modules need, in the order in which they are loaded
modules_for() {
    local root=$1 version name
    version=$(kernel_version "$2")
    shift 2
    for name in "$@"; do
        modprobe -d "$root" -S "$version" --show-depends "$name"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# modules_all ROOT KERNEL
modules_all() {
    local version
    version=$(kernel_version "$2")
    mkdir -p "$1/lib/modules"
    cp -a "$(kernel_modules "$2")" "$1/lib/modules/"
    rm -rf "$1/lib/modules/$version"/{vmlinuz,dtb}
    depmod -b "$1" "$version"
}

# modules_only ROOT KERNEL NAME...: those that are named and what they need, not compressed, and none else
modules_only() {
    local root=$1 kernel=$2 version dir module
    shift
    modules_all "$root" "$kernel"
    version=$(kernel_version "$kernel")
    dir=$root/lib/modules/$version
    modules_for "$root" "$@" | while read -r module; do
        [[ $module != *.xz ]] || xz -d "$module"
        echo "${module%.xz}"
    done >"$root.modules"
    find "$dir" -name '*.ko' -o -name '*.ko.xz' | grep -vxF -f "$root.modules" | xargs -r rm
    rm "$root.modules"
    depmod -b "$root" "$version"
}

# initramfs_make FILE ROOT KERNEL NAME...: init.c, and the modules that it loads
initramfs_make() {
    local file=$1 root=$2 tree=$1.tree module
    shift
    mkdir -p "$tree"/{dev,modules}
    rootfs_programs "$tree" init
    modules_for "$@" | while read -r module; do
        cp "$module" "$tree/modules/"
        basename "$module" >>"$tree/modules/order"
    done
    (cd "$tree" && find . | cpio -o -H newc --quiet) >"$file"
    rm -rf "$tree"
}
