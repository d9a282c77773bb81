#!/bin/bash
# judge.sh KERNEL DIR [OPTION...]: judges the selftests of one kernel (6.12, 7.2 or 6.1) with its profile and holds the verdicts
# against what that kernel said; fails where a program is judged otherwise and facts/ratchet-KERNEL.txt does not name it.
#
# DIR is laid out as build-objects.sh leaves it:
#   DIR/objects/*.bpf.o      the selftests' objects
#   DIR/vmlinux              the kernel's BTF
#   DIR/modules/NAME.ko      the modules' BTF, by the names the kernel gives them
#   DIR/config               its configuration, where it is there
# Needs a Release build of this project.
set -eu
[ $# -ge 2 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
project=$(dirname "$(realpath "$0")") kernel=$1 dir=$2
shift 2
modules=()
for module in "$dir"/modules/*.ko; do
    modules+=(--module-btf "$(basename "$module" .ko)=$module")
done
if [ -f "$dir/config" ]; then
    set -- --kernel-config "$dir/config" "$@"
fi
dotnet run -c Release --no-build --project "$project" -- judge --profile "linux-$kernel" --objects "$dir/objects" \
    --kernel-btf "$dir/vmlinux" "${modules[@]}" --expected "$project/facts/verdicts-$kernel.tsv" \
    --ownership "$project/facts/ownership-objects.txt" --ratchet "$project/facts/ratchet-$kernel.txt" "$@"
