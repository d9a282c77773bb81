#!/bin/bash
# build-objects.sh DIR: fetch Debian's Linux 6.12 sources and headers and compile the kernel's BPF selftests.
#
# Afterwards, for the modes of Kptr.KernelSelftests:
#   DIR/objects/*.bpf.o      --objects
#   DIR/vmlinux              --kernel-btf (an ELF file with little more than .BTF)
#   DIR/modules/NAME.ko      --module-btf NAME=FILE (printed at the end)
#   DIR/config               --kernel-config
#
# Needs Debian (12 with backports, or 13) and the packages named below; nothing is installed that is there already.
# The selftests are GPL-2.0: they stay in DIR and are no part of Kptr.
set -eu

[ $# -eq 1 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1"
dir=$(realpath "$1")
clang=${CLANG:-clang-19}
cpu=${BPF_CPU:-v3}

tools=(clang-19 gcc make bpftool pahole libelf-dev zlib1g-dev xz-utils kmod)
missing=()
for tool in "${tools[@]}"; do
    dpkg-query -W -f='${Status}' "$tool" 2>/dev/null | grep -q 'ok installed' || missing+=("$tool")
done
[ ${#missing[@]} -eq 0 ] || apt-get install -y --no-install-recommends "${missing[@]}"

# The newest 6.12 cloud kernel of the archive; its headers package carries the kernel's BTF.
release=${KERNEL_RELEASE:-$(apt-cache pkgnames linux-headers-6.12. | grep -- '-cloud-amd64$' | sed 's/^linux-headers-//' | sort -V | tail -1)}
[ -n "$release" ] || { echo "no linux-headers-6.12.*-cloud-amd64 in the archive" >&2; exit 1; }
abi=${release%-cloud-amd64}
echo "kernel $release"

step() { [ -e "$dir/.$1" ] || { echo "== $1"; "$1"; touch "$dir/.$1"; }; }

packages() {
    mkdir -p "$dir/debs" "$dir/root"
    (cd "$dir/debs" && apt-get download "linux-headers-$release" "linux-headers-$abi-common" "linux-kbuild-$abi" \
        "linux-image-$release-unsigned" linux-source-6.12)
    for deb in "$dir"/debs/linux-{headers,kbuild,image}*.deb; do
        dpkg-deb -x "$deb" "$dir/root"
    done
}

sources() {
    mkdir -p "$dir/linux"
    dpkg-deb --fsys-tarfile "$dir"/debs/linux-source-6.12_*.deb | tar -xO ./usr/src/linux-source-6.12.tar.xz | xz -dc -T0 |
        tar -x -C "$dir/linux" --strip-components=1 linux-source-6.12/{tools,scripts,include,kernel/bpf,arch/x86/include}
}

headers() {
    mkdir -p "$dir/libbpf" "$dir/include"
    make -s -C "$dir/linux/tools/lib/bpf" OUTPUT="$dir/libbpf/" DESTDIR="$dir" prefix= all install_headers
    cp "$dir/root/usr/src/linux-headers-$release/vmlinux" "$dir/vmlinux"
    cp "$dir/root/boot/config-$release" "$dir/config"
    bpftool btf dump file "$dir/vmlinux" format c > "$dir/include/vmlinux.h"
}

# The selftests' own modules, and those of the kernel whose functions the selftests call.
modules() {
    mkdir -p "$dir/modules" "$dir/build"
    local kernel=$dir/root/usr/src/linux-headers-$release name file
    sed -i "s#^include /usr/src/#include $dir/root/usr/src/#" "$kernel/Makefile"
    for name in bpf_testmod bpf_test_no_cfi bpf_test_modorder_x bpf_test_modorder_y; do
        cp -r "$dir/linux/tools/testing/selftests/bpf/$name" "$dir/build/"
        make -s -C "$kernel" M="$dir/build/$name" modules
        cp "$dir/build/$name/$name.ko" "$dir/modules/"
    done
    for name in nf_conntrack nf_nat nf_flow_table xfrm_interface tcp_dctcp tcp_bbr fou; do
        file=$(find "$dir/root/lib/modules" "$dir/root/usr/lib/modules" -name "${name//_/[_-]}.ko*" 2>/dev/null | head -1)
        case $file in
            *.xz) xz -dc "$file" > "$dir/modules/$name.ko" ;;
            ?*) cp "$file" "$dir/modules/$name.ko" ;;
        esac
    done
}

compile() {
    local source=$1 name flags=()
    name=$(basename "$source" .c)
    grep -q "^progs/$name\.c-CFLAGS := -fno-strict-aliasing" "$tests/Makefile" && flags+=(-fno-strict-aliasing)
    case $name in test_l4lb_noinline | test_xdp_noinline) flags+=(-fno-inline) ;; esac
    (cd "$tests/progs" && "$clang" -g -O2 --target=bpf -mcpu="$cpu" -mlittle-endian -D__TARGET_ARCH_x86 -DENABLE_ATOMICS_TESTS \
        -I"$dir/include" -I"$tests" -I"$tests/progs" -I"$dir/linux/tools/include/uapi" $system -Wno-everything "${flags[@]}" \
        -c "$name.c" -o "$dir/objects/$name.bpf.o" 2>"$dir/errors/$name") || echo "$name" >> "$dir/errors/failed"
}

objects() {
    mkdir -p "$dir/objects" "$dir/errors"
    : > "$dir/errors/failed"
    tests=$dir/linux/tools/testing/selftests/bpf
    system=$("$clang" -v -E -x c /dev/null 2>&1 >/dev/null |
        awk '/search starts here:$/ { on = 1; next } /^End of search list/ { on = 0 } on { print "-idirafter", $1 }' | tr '\n' ' ')
    export -f compile
    export dir tests system clang cpu
    find "$tests/progs" -name '*.c' | sort | xargs -P"$(nproc)" -I{} bash -c 'compile {}'
}

# Objects that the selftests put together from several.
linked() {
    join linked_funcs linked_funcs1 linked_funcs2
    join linked_vars linked_vars1 linked_vars2
    join linked_maps linked_maps1 linked_maps2
    join test_static_linked test_static_linked1 test_static_linked2
    join test_subskeleton_all test_subskeleton_lib2 test_subskeleton_lib test_subskeleton
    join test_usdt_all test_usdt test_usdt_multispec
}

join() {
    local out=$dir/objects/$1.bpf.o parts=()
    shift
    for part in "$@"; do parts+=("$dir/objects/$part.bpf.o"); done
    rm -f "$out"
    bpftool gen object "$out" "${parts[@]}"
}

step packages
step sources
step headers
step modules
step objects
step linked

echo "$(find "$dir/objects" -name '*.bpf.o' | wc -l) objects; not compiled: $(tr '\n' ' ' < "$dir/errors/failed")"
for module in "$dir"/modules/*.ko; do
    printf -- '--module-btf %s=%s ' "$(basename "$module" .ko)" "$module"
done
echo
