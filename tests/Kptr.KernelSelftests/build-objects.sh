#!/bin/bash
# build-objects.sh [KERNEL] DIR: fetch Debian's sources and headers of Linux 6.12 (or of KERNEL, 7.2 or 6.1) and compile the
# kernel's BPF selftests.
#
# Afterwards, for the modes of Kptr.KernelSelftests:
#   DIR/objects/*.bpf.o      --objects
#   DIR/vmlinux              --kernel-btf (an ELF file with little more than .BTF)
#   DIR/modules/NAME.ko      --module-btf NAME=FILE (printed at the end)
#   DIR/config               --kernel-config
#
# Needs Debian: 12 for 6.1, 12 with backports or 13 for 6.12, and the packages named below; nothing is installed that is there
# already. 7.2 is sid's and is built by sid's tools: they are fetched from the machine's own mirror into DIR, not installed, and
# stand in place of /usr for this script alone (as root, or with user namespaces). KERNEL_RELEASE picks one of several releases.
# The selftests are GPL-2.0: they stay in DIR and are no part of Kptr.
set -eu

case $# in
    1) kernel=6.12 ;;
    2) kernel=$1 && shift ;;
    *) kernel= ;;
esac

# What differs: the suite (none: what the machine has), the compiler, and the packages of a RELEASE with the version ABI.
case $kernel in
    6.1)  suite='' clang=clang-19 image='linux-image-RELEASE-unsigned linux-kbuild-6.1' ;;
    6.12) suite='' clang=clang-19 image='linux-image-RELEASE-unsigned linux-kbuild-ABI' ;;
    7.2)  suite=sid clang=clang-22 image='linux-base-RELEASE linux-modules-RELEASE linux-kbuild-ABI' ;;
    *)    sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

mkdir -p "$1"
dir=$(realpath "$1")
tools=($clang gcc make bpftool pahole libelf-dev zlib1g-dev xz-utils kmod python3-minimal)
clang=${CLANG:-$clang}
cpu=${BPF_CPU:-v3}

step() { [ -e "$dir/.$1" ] || { echo "== $1"; "$1"; touch "$dir/.$1"; }; }

# An apt of its own, which knows the suite alone and believes that nothing is installed.
archive() {
    local mirror
    mirror=$(apt-get indextargets --format '$(ORIGIN)/$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian/Debian" { print $2; exit }')
    [ -n "$mirror" ] || { echo "no mirror of Debian among the sources of apt" >&2; exit 1; }
    mkdir -p "$dir"/apt/{lists,cache/archives}/partial
    : > "$dir/apt/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$dir/apt/sources.list"
    cat > "$dir/apt/apt.conf" << end
Dir::Etc::sourcelist "$dir/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$dir/apt/lists";
Dir::State::status "$dir/apt/status";
Dir::Cache "$dir/apt/cache";
end
    APT_CONFIG=$dir/apt/apt.conf apt-get update -qq
}

if [ -n "$suite" ]; then
    step archive
    export APT_CONFIG=$dir/apt/apt.conf
fi

# The newest cloud kernel of the archive that is of this version.
newest() {
    apt-cache pkgnames "linux-headers-$kernel." | grep -- '-cloud-amd64$' | sed 's/^linux-headers-//' | sort -V | tail -1
}

[ -e "$dir/release" ] || { echo "${KERNEL_RELEASE:-$(newest)}" > "$dir/release"; }
release=$(cat "$dir/release")
[ -n "$release" ] || { rm "$dir/release"; echo "no linux-headers-$kernel.*-cloud-amd64 in the archive" >&2; exit 1; }
abi=${release%-cloud-amd64}
image=${image//RELEASE/$release}
image=${image//ABI/$abi}
tree=$dir/root/usr/src/linux-headers-$release
tests=$dir/linux/tools/testing/selftests/bpf
echo "kernel $release"

# The tools, with the compiler that made the kernel.
tools() {
    local missing=() tool
    tools+=("$(apt-cache show "linux-headers-$release" | grep -o 'gcc-[0-9]*' | head -1)")
    if [ -n "$suite" ]; then
        apt-get install -y -qq -d --no-install-recommends '?essential' gawk "${tools[@]}"
        for deb in "$dir"/apt/cache/archives/*.deb; do
            dpkg-deb -x "$deb" "$dir/$suite"
        done
        ln -sf gawk "$dir/$suite/usr/bin/awk"    # links that only an installation makes
        ln -sf gcc "$dir/$suite/usr/bin/cc"
    else
        for tool in "${tools[@]}"; do
            dpkg-query -W -f='${Status}' "$tool" 2>/dev/null | grep -q 'ok installed' || missing+=("$tool")
        done
        [ ${#missing[@]} -eq 0 ] || apt-get install -y --no-install-recommends "${missing[@]}"
    fi
}

packages() {
    local names=("linux-headers-$release" "linux-headers-$abi-common" $image) name
    mkdir -p "$dir/debs" "$dir/root"
    (cd "$dir/debs" && apt-get download "${names[@]}" "linux-source-$kernel")
    for name in "${names[@]}"; do
        dpkg-deb -x "$dir/debs/${name}"_*.deb "$dir/root"
    done
    sed -i "s#\([= ]\)/usr/src/#\1$dir/root/usr/src/#" "$tree/Makefile"
}

sources() {
    local source=linux-source-$kernel
    mkdir -p "$dir/linux"
    dpkg-deb --fsys-tarfile "$dir/debs/$source"_*.deb | tar -xO "./usr/src/$source.tar.xz" | xz -dc -T0 |
        tar -x -C "$dir/linux" --strip-components=1 "$source"/{tools,scripts,include,kernel/bpf,arch/x86/include}
}

# The headers package carries the kernel's BTF; where it does not, the image does.
headers() {
    mkdir -p "$dir/libbpf" "$dir/include"
    make -s -C "$dir/linux/tools/lib/bpf" OUTPUT="$dir/libbpf/" DESTDIR="$dir" prefix= all install_headers
    if [ ! -e "$tree/vmlinux" ]; then
        "$dir/linux/scripts/extract-vmlinux" "$dir/root/boot/vmlinuz-$release" > "$dir/vmlinux"
        objcopy -j .BTF "$dir/vmlinux" "$tree/vmlinux"
    fi
    cp "$tree/vmlinux" "$dir/vmlinux"
    find "$dir/root" \( -name "config-$release" -o -path "*/$release/config" \) -type f -exec cp {} "$dir/config" \;
    bpftool btf dump file "$dir/vmlinux" format c > "$dir/include/vmlinux.h"
}

# The selftests' own modules but a stress test, and those of the kernel whose functions the selftests call. Their types are
# numbered on top of the kernel's, not of a base that a module brings along.
modules() {
    local own name file ids=tools/bpf/resolve_btfids
    mkdir -p "$dir/modules" "$dir/build"
    if [ ! -e "$tree/$ids/resolve_btfids" ]; then
        make -s -C "$dir/linux/$ids"
        mkdir -p "$tree/$ids"
        cp "$dir/linux/$ids/resolve_btfids" "$tree/$ids/"
    fi
    for own in "$tests"/{bpf_test*,test_kmods}/Makefile; do
        [ -e "$own" ] || continue
        own=$(dirname "$own") name=$(basename "$own")
        cp -r "$own" "$dir/build/"
        make -s -C "$tree" M="$dir/build/$name" RESOLVE_BTFIDS_FLAGS= modules
        find "$dir/build/$name" -name '*.ko' ! -name '*rqspinlock*' -exec cp {} "$dir/modules/" \;
    done
    for name in nf_conntrack nf_nat nf_flow_table xfrm_interface tcp_dctcp tcp_bbr fou; do
        file=$(find "$dir/root/lib/modules" "$dir/root/usr/lib/modules" -name "${name//_/[_-]}.ko*" 2>/dev/null | head -1)
        case $file in
            *.xz) xz -dc "$file" > "$dir/modules/$name.ko" ;;
            ?*) cp "$file" "$dir/modules/$name.ko" ;;
        esac
    done
}

# compile SOURCE OBJECT: as the selftests' Makefile does. A release may change a kfunc and leave the selftest's declaration of
# it: such a program is compiled without those of vmlinux.h.
compile() {
    local name kfuncs flags=($common)
    name=$(basename "$1" .c)
    grep -q "^progs/$name\.c-CFLAGS := -fno-strict-aliasing" "$tests/Makefile" && flags+=(-fno-strict-aliasing)
    case $name in test_l4lb_noinline | test_xdp_noinline) flags+=(-fno-inline) ;; esac
    : > "$dir/errors/$name"
    for kfuncs in '' -DBPF_NO_KFUNC_PROTOTYPES; do
        (cd "$tests/progs" && "$clang" -g -O2 --target=bpf -mcpu="$cpu" -mlittle-endian -D__TARGET_ARCH_x86 \
            -DENABLE_ATOMICS_TESTS -I"$dir/include" -I"$tests" -I"$tests/progs" -I"$dir/linux/tools/include/uapi" \
            -I"$tests/libarena/include" $system -Wno-everything "${flags[@]}" $kfuncs \
            -c "$1" -o "$2" 2>>"$dir/errors/$name") && return
    done
    echo "$name" >> "$dir/errors/failed"
}

objects() {
    mkdir -p "$dir/objects" "$dir/arena" "$dir/errors"
    : > "$dir/errors/failed"
    system=$("$clang" -v -E -x c /dev/null 2>&1 >/dev/null |
        awk '/search starts here:$/ { on = 1; next } /^End of search list/ { on = 0 } on { print "-idirafter", $1 }' | tr '\n' ' ')
    # What the Makefile says for all programs.
    common=$(sed -n '/^BPF_CFLAGS/,/[^\\]$/p' "$tests/Makefile" | grep -oE '[[:space:]]-(std=|f|I\$\(TOOLSINCDIR)[^[:space:]]*' |
        sed "s#\$(TOOLSINCDIR)#$dir/linux/tools/include#" | tr -s '[:space:]' ' ' || true)
    export -f compile
    export dir tests system common clang cpu
    {
        find "$tests/progs" -name '*.c' -printf "%p $dir/objects/%f\n"
        find "$tests"/libarena/{src,selftests} -name '*.bpf.c' -printf "%p $dir/arena/%f\n" 2>/dev/null || true
    } | sed -E 's/(\.bpf)?\.c$/.bpf.o/' | sort | xargs -P"$(nproc)" -L1 bash -c 'compile "$@"' compile
}

# Objects that the selftests put together from several.
linked() {
    local name parts
    awk '/^[a-z_]+\.skel\.h-deps := / && NF > 3 { sub(/\.skel.*/, "", $1); $2 = ""; print }' "$tests/Makefile" > "$dir/parts"
    cd "$dir/objects"
    while read -r name parts; do
        case " $parts " in
            *" $name.bpf.o "*) [ "$name" = test_subskeleton_lib ] || join "${name}_all" $parts ;;
            *) join "$name" $parts ;;
        esac
    done < "$dir/parts"
    [ -z "$(ls "$dir/arena")" ] || join libarena "$dir"/arena/*.bpf.o
}

join() {
    local out=$dir/objects/$1.bpf.o
    shift
    rm -f "$out"
    bpftool gen object "$out" "$@"
}

if [ -z "${KPTR_INSIDE:-}" ]; then
    step tools
    step packages
    step sources
    # From here on with the suite's /usr.
    [ -z "$suite" ] || KPTR_INSIDE=1 exec unshare $([ "$(id -u)" = 0 ] || echo -r) -m \
        bash -c 'mount --bind "$0" /usr && exec "$@"' "$dir/$suite/usr" "$(realpath "$0")" "$kernel" "$dir"
fi
step headers
step modules
step objects
step linked

echo "$(find "$dir/objects" -name '*.bpf.o' | wc -l) objects; not compiled: $(tr '\n' ' ' < "$dir/errors/failed")"
for module in "$dir"/modules/*.ko; do
    printf -- '--module-btf %s=%s ' "$(basename "$module" .ko)" "$module"
done
echo
