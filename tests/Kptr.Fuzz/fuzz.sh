#!/usr/bin/env bash
# Fuzzes one target for so many seconds: fuzz.sh TARGET SECONDS. Needs afl++ (Debian: apt-get install afl++). See README.md.
set -euo pipefail
target=$1 seconds=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
inst=$here/bin/fuzz/instrumented state=$here/bin/fuzz/state/$target found=$here/bin/fuzz/found/$target
export AFL_SKIP_BIN_CHECK=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_NO_UI=1 AFL_AUTORESUME=1
export AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_FORKSRV_INIT_TMOUT=60000

# Several targets may run at once; one of them builds. FUZZ_KEEP=1 takes the build that is there.
build() {
    cd "$root"
    dotnet build -v q -nologo -c Release tests/Kptr.Fuzz
    dotnet tool restore >/dev/null
    rm -rf "$inst" && mkdir -p "$inst" && cp -r "$here/bin/Release/net10.0/." "$inst"
    dotnet sharpfuzz "$inst/Kptr.dll"
}

mkdir -p "$here/bin/fuzz/state" "$found"
if [ "${FUZZ_KEEP:-0}" = 0 ] || [ ! -e "$inst/Kptr.dll" ]; then
    (flock 9 && build) 9>"$here/bin/fuzz/lock"
fi

run=("$(command -v dotnet)" "$inst/Kptr.Fuzz.dll")
words=()
if [ -e "$here/words/$target" ]; then
    words=(-x "$here/words/$target")
fi

afl-fuzz -i "$here/corpus/$target" "${words[@]}" -o "$state" -V "$seconds" -t 5000 -m none -- "${run[@]}" afl "$target" >"$state.log" 2>&1 \
    || tail -5 "$state.log"
grep -E '^(run_time|execs_done|execs_per_sec|corpus_count|edges_found|saved_crashes|saved_hangs|max_depth|cycles_done) ' "$state/default/fuzzer_stats"

# What it found, shrunk and named by its content; a fault that is mended goes into the corpus from there.
shopt -s nullglob
for file in "$state"/default/crashes/id* "$state"/default/hangs/id*; do
    timeout 300 "${run[@]}" shrink "$target" "$file" || true
    if [ -e "$file.small" ]; then
        mv "$file.small" "$found/$(sha256sum "$file.small" | cut -c1-16)"
    fi
done

# A small set of inputs that reaches all edges that the whole queue reaches: candidates for the corpus.
if [ "${FUZZ_CMIN:-0}" = 1 ]; then
    rm -rf "$state.min"
    afl-cmin -i "$state/default/queue" -o "$state.min" -t 5000 -m none -- "${run[@]}" afl "$target" >/dev/null
    echo "$(ls "$state.min" | wc -l) inputs in $state.min"
fi
