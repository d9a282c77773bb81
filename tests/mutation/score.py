#!/usr/bin/env python3
"""Prints the score of a mutation report, file by file, and the mutants that no test killed: score.py ROOM REPORT."""
import json
import sys
from collections import Counter

KILLED = ("Killed", "Timeout", "RuntimeError")  # the last: the tests' process ended
ALIVE = ("Survived", "NoCoverage")


def score(counts):
    killed, alive = sum(counts[s] for s in KILLED), sum(counts[s] for s in ALIVE)
    return f"{100 * killed / max(killed + alive, 1):6.2f} %  {killed} of {killed + alive}, {counts['NoCoverage']} not covered"


room, path = sys.argv[1:3]
with open(path, encoding="utf-8") as report:
    files = json.load(report)["files"]

whole = Counter()
for name, file in sorted(files.items()):
    counts = Counter(m["status"] for m in file["mutants"])
    if not any(counts[s] for s in KILLED + ALIVE):
        continue

    whole += counts
    print(f"{score(counts)}  {name}")
    for mutant in file["mutants"]:
        if mutant["status"] in ALIVE:
            start, end = mutant["location"]["start"], mutant["location"]["end"]
            lines = file["source"].splitlines()
            old = lines[start["line"] - 1][start["column"] - 1:end["column"] - 1 if end["line"] == start["line"] else None]
            print(f"    {start['line']}: {mutant['status']} {mutant['mutatorName']}: {old}  =>  {mutant['replacement']}".replace("\n", " ")[:240])

print(f"{room}: {score(whole)}")
