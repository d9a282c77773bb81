#!/bin/bash
# judge-cells.sh VMLINUZ VMLINUX-WITH-BTF DIR: asks a real kernel, under qemu, for each row of cells.rows which helpers such
# a program may call and which places of its context it may load and store; writes DIR/helper-cells-6.12.tsv and
# DIR/context-cells-6.12.tsv. Needs gcc, bpftool, cpio, python3 and qemu-system-x86_64.
set -e
here=$(dirname "$(realpath "$0")"); t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
mkdir "$t/root" "$t/root/dev"
gcc -O2 -static -o "$t/root/init" "$here/cells.c"
mknod "$t/root/dev/console" c 5 1
bpftool -j btf dump file "$2" > "$t/btf.json"
python3 - "$here/cells.rows" "$t/btf.json" "$t/root/rows" <<'P'
import json, sys
types = json.load(open(sys.argv[2]))["types"]
ids = {}
for t in types:
    ids.setdefault((t["kind"], t["name"]), t)
with open(sys.argv[3], "w") as out:
    for line in open(sys.argv[1]):
        if line.startswith("#"):
            continue
        label, kind, attach, sleepable, target, member = line.split()
        found = None
        if target != "-":
            kinds = ["STRUCT"] if member != "-" else ["TYPEDEF"] if target.startswith("btf_trace_") else ["FUNC"]
            found = next((ids[k, target] for k in kinds if (k, target) in ids), None)
            if found is None:
                print(f"left out, this kernel has no {target}")
                continue
            label += f":{target}"
        if member != "-":
            index = next((i for i, m in enumerate(found["members"]) if m["name"] == member), None)
            if index is None:
                print(f"left out, {target} has no {member}")
                continue
            attach, label = str(index), f"{label}.{member}"
        label += ":sleepable" if sleepable == "1" else ""
        out.write(f"{label} {kind} {-1 if attach == '-' else attach} {found['id'] if found else 0} "
                  f"{16 if sleepable == '1' else 0}\n")
P
(cd "$t/root" && find . | cpio -o -H newc --quiet) | gzip -1 > "$t/initrd.gz"
qemu-system-x86_64 -accel tcg -cpu max -m 2G -nographic -no-reboot -net none -kernel "$1" -initrd "$t/initrd.gz" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off" < /dev/null | tr -d '\r' > "$t/console"
grep -a '^NOTE\|^DONE' "$t/console" || { tail -20 "$t/console"; exit 1; }
write() {    # TAG FILE TITLE: rows with the same answers share a line
    {
        echo "$3"
        grep -ao "^$1 .*" "$t/console" | awk '{ if ($3 in n) n[$3] = n[$3] "," $2; else { n[$3] = $2; o[++c] = $3 } }
            END { for (i = 1; i <= c; i++) print n[o[i]] "\t" o[i] }'
    } > "$2"
}
[ "$(grep -ac '^HELPERS ' "$t/console")" = "$(wc -l < "$t/root/rows")" ] || { echo "a row is missing"; exit 1; }
write HELPERS "$3/helper-cells-6.12.tsv" "# What Linux 6.12 says of helpers 1 to 211, a character each: + may be called, . may not, p not at this attach target, s might sleep and the program may not"
write PLACES "$3/context-cells-6.12.tsv" "# What Linux 6.12 takes at each byte of a context, two digits each: bits 0 to 3 loads of 1, 2, 4 and 8 bytes, bits 4 to 7 stores"
