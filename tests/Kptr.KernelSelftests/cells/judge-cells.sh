#!/bin/bash
# judge-cells.sh VMLINUZ VMLINUX-WITH-BTF DIR [TABLE...]: asks a real kernel, under qemu, whole tables, one program or map a
# cell, and writes each to DIR. Tables: helpers (and places of contexts), kfuncs, maps, calls, owners, returns,
# args, attach, and btfs and pointers where KPTR_SELFTESTS is a command that runs Kptr.KernelSelftests; all of them where none is named.
# "programs" is no table: it compares verdicts on COUNT generated programs about owners, from SEED on. "lives" lets COUNT
# maps live and die from SEED on, and compares what each step answered; its table has those lives.
# VERSION is the kernel's, in the names of the tables: 6.12 unless told.
# Needs gcc, bpftool, cpio, python3 and qemu-system-x86_64.
set -e
here=$(dirname "$(realpath "$0")"); t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
version=${VERSION:-6.12} kernel=$1 vmlinux=$2 out=$3; shift 3; [ $# -gt 0 ] || set helpers kfuncs maps calls owners returns args attach
bpftool -j btf dump file "$vmlinux" > "$t/btf.json"
python3 "$here/rows.py" "$here/cells.rows" "$t/btf.json" "$t"

ask() {    # PROGRAM FILE...: what it prints; a FILE a:b is a, called b there
    rm -rf "$t/root"; mkdir -p "$t/root/dev"; mknod "$t/root/dev/console" c 5 1
    gcc -O2 -Wall -static -o "$t/root/init" "$here/$1.c"
    for f in "${@:2}"; do cp -r "$t/${f%:*}" "$t/root/${f#*:}"; done
    (cd "$t/root" && find . | cpio -o -H newc --quiet) | gzip -1 > "$t/initrd.gz"
    qemu-system-x86_64 -accel tcg -cpu max -smp "${CPUS:-1}" -m 2G -nographic -no-reboot -net none -kernel "$kernel" \
        -initrd "$t/initrd.gz" -append "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check" < /dev/null > "$t/raw"
    tr -d '\r' < "$t/raw" > "$t/console"
    grep -a '^NOTE\|^DONE' "$t/console" || { tail -20 "$t/console"; exit 1; }
    grep -aq '^DONE' "$t/console" || { tail -20 "$t/console"; echo "$1 did not end"; exit 1; }
}

write() {    # TAG FILE TITLE: rows with the same answers share a line
    {
        echo "$3"
        grep -ao "^$1 .*" "$t/console" | awk '{ if ($3 in n) n[$3] = n[$3] "," $2; else { n[$3] = $2; o[++c] = $3 } }
            END { for (i = 1; i <= c; i++) print n[o[i]] "\t" o[i] }'
    } > "$2"
}

whole() { [ "$(grep -ac "^$1 " "$t/console")" = "$(wc -l < "$t/rows")" ] || { echo "a row is missing"; exit 1; }; }

for table; do
    case $table in
    helpers)
        ask helpers rows; whole HELPERS
        write HELPERS "$out/helper-cells-$version.tsv" "# What Linux $version says of helpers 1 to 211, a character each: + may be called, . may not, p not at this attach target, s might sleep and the program may not; ? no program of the kind is accepted"
        write PLACES "$out/context-cells-$version.tsv" "# What Linux $version takes at each byte of a context, two digits each: bits 0 to 3 loads of 1, 2, 4 and 8 bytes, bits 4 to 7 stores";;
    kfuncs)
        ask kfuncs rows kinds funcs; whole CALLS
        write CALLS "$out/kfunc-cells-$version.tsv" "# Which kfuncs Linux $version lets a program call, a character each: + may be called, . may not, s by sleepable programs only;$(grep -a '^KFUNC ' "$t/console" | cut -d' ' -f2- | sed 's/^/ /')";;
    maps)
        mkdir "$t/btf"; python3 "$here/values.py" "$t/btf"; cp "$here/maps.rows" "$t"
        ask maps maps.rows btf
        VERSION=$version python3 "$here/pack.py" < "$t/console" > "$out/map-cells-$version.tsv";;
    calls)
        cp "$here/maps.rows" "$here/calls.rows" "$t"
        ask calls callers maps.rows calls.rows
        write MAPCALLS "$out/map-call-cells-$version.tsv" "# Which maps Linux $version lets programs hand to helpers, a character each of maps.rows: + yes, m not this map, s not in sleepable programs, o refused for something else, x there is no such map";;
    owners)
        ask owners pairs
        write OWNERS "$out/owner-cells-$version.tsv" "# Whether Linux $version lets a second program use a map that belongs to a first, three characters each (arrays of programs, maps of devices, of CPUs): + yes, . no, ? one of them never;$(grep -ao '^OWNER-KINDS .*' "$t/console" | cut -d' ' -f2- | sed 's/^/ /')";;
    returns)
        ask returns returns:rows
        sed -i 's/^\(RETURNS Lsm[^=]*\)=[^ ]*/\1/' "$t/console"    # arg-cells has their prototypes
        write RETURNS "$out/return-cells-$version.tsv" "# Whether Linux $version lets a program return each value of cells/returns.c: + yes, . no, k no number, n nothing; x no program is accepted there";;
    args)
        ask args args:rows
        VERSION=$version python3 "$here/pack.py" < "$t/console" > "$out/arg-cells-$version.tsv";;
    attach)
        ask attach funcs
        VERSION=$version python3 "$here/pack.py" < "$t/console" > "$out/attach-cells-$version.tsv";;
    btfs)
        for set in btf:0:6000 btf-large:1000000:3000; do
            IFS=: read -r name seed copies <<< "$set"
            $KPTR_SELFTESTS btf-cells --seed $seed --copies $copies --to "$t/btfs" > "$t/said"; ask btfs btfs
            { echo "# Whether Linux $version takes each mutant of cells/btfs.c: + yes, else the errno: . EINVAL, b E2BIG, e ENOENT, x EEXIST, u EFAULT, l ELOOP, n ENOTSUPP, s ENOSPC; $(cat "$t/said")"
              grep -ao '^BTFS .*' "$t/console" | cut -d' ' -f2; } > "$out/$name-cells-$version.tsv"
        done;;
    programs)
        generate="$KPTR_SELFTESTS generate --kernel-btf $vmlinux --profile linux-$version --cpus 1 --seed ${SEED:-1} --count ${COUNT:-1000}"
        $generate --to "$t/programs"; ask programs programs
        $generate --answers "$t/console" | tee "$out/programs-$version.txt";;
    pointers)
        generate="$KPTR_SELFTESTS generate --kernel-btf $vmlinux --profile linux-$version --cpus 1 --pointers ${ONE_IN:-1}"
        $generate --to "$t/programs"; ask programs programs
        $generate --answers "$t/console" --table "$out/pointer-cells-$version.tsv" | tee "$out/pointers-$version.txt";;
    lives)
        play="$KPTR_SELFTESTS lives --kernel-btf $vmlinux --profile linux-$version --seed ${SEED:-1} --count ${COUNT:-200} --only ${ONLY:-_}"
        $play --to "$t"; CPUS=2 ask lives programs lives
        $play --answers "$t/console" --table "$out/lives-$version.txt" | tee "$out/lives-$version.said";;
    *)  echo "no table $table"; exit 1;;
    esac
done
