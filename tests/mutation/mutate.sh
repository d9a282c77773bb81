#!/usr/bin/env bash
# Mutation testing, room by room: mutate.sh [ROOM...]; all rooms of rooms.tsv without an argument. Hours: for the night.
# Reports and scores are under bin/. See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export DOTNET_INFO_WAIT_TIME=300000 # a busy machine answers late
export RunAnalyzers=false           # the code was checked when it was built
rooms=("$@")
if [ ${#rooms[@]} = 0 ]; then
    mapfile -t rooms < <(grep -v '^#' "$here/rooms.tsv" | cut -f1)
fi

column() { awk -F'\t' -v room="$1" -v column="$2" '$1 == room { print $column }' "$here/rooms.tsv"; }

# A room's own projects: the part of Kptr that it stands on and its tests alone, so that Stryker mutates, builds and runs no
# more than those. The layers allow it.
items() { sed 's|[^,]*|    <Compile Include="'"$2"'/&'"$3"'" />\n|g; s|,||g' <<<"$1"; }

write_projects() {
    # Rooms below Maps hold nothing that code is generated for.
    local generators=""
    if [ "$3" != . ]; then
        generators='    <ProjectReference Remove="@(ProjectReference)" />'
    fi

    mkdir -p "$1/Kptr"
    cat >"$1/Kptr/Kptr.csproj" <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <EnableDefaultItems>false</EnableDefaultItems>
    <TreatWarningsAsErrors>false</TreatWarningsAsErrors>
  </PropertyGroup>
  <ItemGroup>
$generators
    <InternalsVisibleTo Include="Kptr.Tests" />
    <PackageReference Include="Microsoft.Extensions.Logging.Abstractions" />
    <EmbeddedResource Include="$root/src/Kptr/Kfuncs/Builtin/*" LogicalName="%(Filename)%(Extension)" />
    <EmbeddedResource Include="$root/src/Kptr/Diagnostics/Page/page.*" LogicalName="%(Filename)%(Extension)" />
$(items "$3" "$root/src/Kptr" "/**/*.cs")
    <Compile Remove="$root/src/Kptr/bin/**;$root/src/Kptr/obj/**" />
  </ItemGroup>
</Project>
XML
    cat >"$1/Kptr.Tests.csproj" <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <IsTestProject>true</IsTestProject>
    <EnableDefaultItems>false</EnableDefaultItems>
    <TreatWarningsAsErrors>false</TreatWarningsAsErrors>
  </PropertyGroup>
  <ItemGroup>
$generators
    <ProjectReference Include="Kptr/Kptr.csproj" />
    <PackageReference Include="FluentAssertions" />
    <PackageReference Include="FsCheck.Xunit" />
    <PackageReference Include="Microsoft.NET.Test.Sdk" />
    <PackageReference Include="xunit" />
    <PackageReference Include="xunit.runner.visualstudio" />
    <Using Include="FluentAssertions" />
    <Using Include="Xunit" />
    <Compile Include="$root/tests/Shared/*.cs;$root/tests/Kptr.Tests/TestData.cs" />
$(items "$2" "$root/tests/Kptr.Tests" "")
    <Compile Remove="$root/tests/Kptr.Tests/**/*FuzzTests.cs" />
  </ItemGroup>
</Project>
XML
}

cd "$root"
dotnet tool restore >/dev/null
for room in "${rooms[@]}"; do
    files=$(column "$room" 2)
    tests=$(column "$room" 3)
    needed=$(column "$room" 4)
    if [ -z "$files" ]; then
        echo "no room $room in rooms.tsv" >&2
        exit 2
    fi

    # MUTATE_FILES narrows a room to some of its files, for work on them.
    mutate=$(sed 's/[^,]*/"**\/&"/g' <<<"${MUTATE_FILES:-$files}")
    work=$here/bin/$room
    mkdir -p "$work"
    write_projects "$work" "$tests" "$needed"
    cat >"$work/stryker.json" <<JSON
{
  "stryker-config": {
    "project": "Kptr.csproj",
    "mutate": [$mutate],
    "coverage-analysis": "perTest",
    "concurrency": ${MUTATE_JOBS:-1},
    "additional-timeout": 30000,
    "reporters": ["json", "progress"]
  }
}
JSON
    (cd "$work" && dotnet stryker --config-file stryker.json --output "$work/report" --skip-version-check)
    python3 "$here/score.py" "$room" "$work/report/reports/mutation-report.json" | tee "$work/score.txt"
done
