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
