#!/bin/bash
# Follows the pages as a newcomer does: fresh projects outside of the clone, the packages of a folder, the code of the pages
# to the letter. follow-pages.sh PACKAGES
set -e
root=$(cd "$(dirname "$0")/.." && pwd)
packages=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$packages" packages

# A cache of its own, so that no older package of the same version is taken instead.
export NUGET_PACKAGES=$work/nuget DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# block PAGE LANGUAGE N: the N-th block of code in that language.
block() {
    awk -v lang="$2" -v n="$3" '
        /^```/ { on = 0; inside = !inside; if (inside && $0 == "```" lang && ++seen == n) on = 1; next }
        on' "$root/$1"
}

# project KIND NAME PACKAGE: a new project that uses the package, made as the pages say.
project() {
    dotnet new "$1" -o "$2" > /dev/null && cd "$2"
    block docs/testing-your-map.md xml 1 > nuget.config
    dotnet add package "$3" > "$work/said" || { cat "$work/said"; exit 1; }
}

# says FILE TEXT: the file has the text.
says() {
    grep -qF -- "$2" "$1" || { echo "expected: $2"; echo "found:"; cat "$1"; exit 1; }
}

echo "== docs/getting-started.md"
project console FirstProgram Kptr
block docs/getting-started.md csharp 1 > Program.cs
dotnet run > "$work/said"
block docs/getting-started.md "" 1 | diff - "$work/said"
cd ..

echo "== README.md"
project console Quickstart Kptr
block README.md csharp 1 > Program.cs
dotnet build -v q > /dev/null
cp "$root/samples/TaskTracker/bpf/task_tracker.bpf.o" bin/Debug/net10.0/
dotnet run --no-build > "$work/said"
says "$work/said" "freed: True"
cd ..

echo "== docs/testing-your-map.md"
project xunit MyMap.Tests Kptr.Testing
block docs/testing-your-map.md csharp 1 > PidMap.cs
block docs/testing-your-map.md csharp 2 > PidMapTests.cs
dotnet test > "$work/said" || true
says "$work/said" "DestroyOnOverwrite is broken"
block docs/testing-your-map.md csharp 3 > "$work/mend"
sed -i -e "/Errno UpdateValue/,/^    }/ s|^        lock (_lock)|        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);\n&|" \
    -e "/if (!exists && !_pool/ e cat $work/mend" PidMap.cs
dotnet test > "$work/said" || { cat "$work/said"; exit 1; }
grep -E 'Passed!' "$work/said"
cd ..

echo "== docs/testing-your-program.md"
project console MyProgram Kptr.Testing
block docs/testing-your-program.md csharp 1 > Seats.cs
cat > Program.cs << 'end'
try
{
    Seats.Check(args[0]);
}
catch (Exception e)
{
    Console.WriteLine(e.Message);
}
end
dotnet run -- "$root/tests/data/run/seats.bpf.o" > "$work/said"
says "$work/said" "SamePolicies is broken"
says "$work/said" "under Recycle"
cd ..

# The samples that pages lead to, as projects of a user.
# sample NAME PACKAGE: its code prints what it prints here.
sample() {
    echo "== samples/$1"
    project console "$1" "$2"
    rm Program.cs
    cp "$root/samples/$1"/*.cs .
    dotnet build -v q > "$work/said" || { cat "$work/said"; exit 1; }
    cp -r "$root/samples/$1/bpf" bin/Debug/net10.0/
    dotnet run --no-build | diff "$root/samples/$1/expected.txt" -
    cd ..
}

sample CustomMap Kptr
sample CustomObject Kptr

# The tests of the object that the sample has.
echo "== docs/writing-an-object.md"
project xunit GpuQueue.Tests Kptr.Testing
cp "$root/samples/CustomObject/GpuQueue.cs" .
{
    printf 'using CustomObject;\nusing Kptr;\nusing Kptr.Kfuncs;\nusing Kptr.Objects;\nusing Kptr.Testing;\n\n'
    printf 'public class GpuQueueTests\n{\n'
    block docs/writing-an-object.md csharp 1
    printf '}\n'
} > UnitTest1.cs
dotnet test > "$work/said" || { cat "$work/said"; exit 1; }
grep -E 'Passed!' "$work/said"
cd ..

# ends PAGE: the page's lines for the shell end as they say, or well; those that follow what happens outside end soon.
ends() {
    local line command code
    awk '/^```sh/ { on = 1; next } /^```/ { on = 0 } on && /^kptr/' "$root/$1" > "$work/lines"
    while read -r line; do
        command=${line%%#*}
        code=0
        bash -c "${command//10s/1s}" > "$work/said" 2>&1 < /dev/null || code=$?
        [[ $code = "$([[ $line == *'-> '* ]] && echo "${line##*-> }" || echo 0)" ]] ||
            { echo "$line"; echo "ended with $code:"; cat "$work/said"; exit 1; }
    done < "$work/lines"
    echo "== $1: $(wc -l < "$work/lines") commands"
}

dotnet tool install Kptr.Cli --tool-path "$work/tool" --add-source "$packages" > "$work/said" || { cat "$work/said"; exit 1; }
PATH=$work/tool:$PATH
mkdir cli && cd cli
cp "$root/samples/TaskTracker/bpf/task_leak.bpf.o" leak.bpf.o
cp "$root/samples/TaskTracker/bpf/task_tracker.bpf.o" tracker.bpf.o
cp "$root/samples/TraceReplay/trace.txt" .
block docs/cli.md "" 2 > steps.txt
grep -q '^fork' steps.txt
ends docs/cli.md
cp tracker.bpf.o task_tracker.bpf.o
ends docs/tracing.md
