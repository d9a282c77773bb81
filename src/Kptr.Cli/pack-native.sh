#!/bin/bash
# pack-native.sh OUTDIR: the tool as three packages: one that `dotnet tool install` is told, native code for linux-x64, and what
# runs anywhere else. Needs gcc or clang.
set -e
project=$(cd "$(dirname "$0")" && pwd)
for rid in "" linux-x64 any; do
    dotnet pack "$project" -c Release -p:NativeTool=true ${rid:+-r $rid} -v q -nologo -o "$1"
done
