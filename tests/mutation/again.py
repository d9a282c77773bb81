#!/usr/bin/env python3
"""Tries the mutants that no test killed once more, each in a process of its own: again.py WORK [FILTER].

The filter is the room's, such as FullyQualifiedName!~OneTest&FullyQualifiedName!~Another.

Stryker keeps one process for all. Tables are made once in it, before most of their mutants are switched on, or by one of them
for all that follow: what is known to be static is tried again even where it was killed.
"""
import json
import os
import subprocess
import sys

work = sys.argv[1]
left_out = [arg for part in "".join(sys.argv[2:]).split("&") if part
            for arg in ("-method-", f"*{part.removeprefix('FullyQualifiedName!~')}*")]
path = f"{work}/report/reports/mutation-report.json"
switch = f"{work}/mutant.bin"
with open(path, encoding="utf-8") as report:
    whole = json.load(report)


def run(mutant):
    with open(switch, "wb") as file:
        file.write(int(mutant).to_bytes(4, "little", signed=True))
    try:
        return subprocess.run(
            ["dotnet", f"{work}/mutated/Kptr.Tests.dll", *left_out], env=os.environ | {"STRYKER_MUTANT_FILE": switch},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False).returncode
    except subprocess.TimeoutExpired:
        return None


mutants = [m for file in whole["files"].values() for m in file["mutants"]
           if m["status"] == "Survived" or (m.get("static") and m["status"] in ("Killed", "Timeout", "RuntimeError"))]
if mutants and run(-1) != 0:
    sys.exit("the tests fail without a mutant")
for mutant in mutants:
    mutant["status"] = {0: "Survived", None: "Timeout"}.get(run(mutant["id"]), "Killed")
with open(path, "w", encoding="utf-8") as report:
    json.dump(whole, report)
