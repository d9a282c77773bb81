"""rows.py CELLS.ROWS BTF.JSON DIR: what the programs of this folder read, with the numbers of one kernel's BTF.

DIR/rows: a kind of program a line, "label type attach btf flags". DIR/kinds: the first of each type, and those that some
kfuncs are only for, the types with most kfuncs first. DIR/callers: the first of each type, and the first that sleeps.
DIR/pairs: the rows. DIR/funcs: all functions.
DIR/returns: the rows, and every LSM hook. DIR/args: iterators, members of struct_ops, LSM hooks and tracepoints. Their labels end
in the target's prototype (see protos.py), where it has one.
"""
import json
import sys

from protos import Protos

types = json.load(open(sys.argv[2]))["types"]
ids = {}
for t in types:
    ids.setdefault((t["kind"], t["name"]), t)

KINDS_FIRST = ["31", "26", "27", "3", "6"]    # system call, tracing, struct_ops, traffic control, XDP
KINDS_TOO = {"Kprobe/TraceKprobeSession", "CgroupSockAddr/CgroupUnixConnect"}
rows, kinds = [], {}
for line in open(sys.argv[1]):
    if line.startswith("#"):
        continue
    label, kind, attach, sleepable, target, member = line.split()
    key = label if label in KINDS_TOO else kind
    found = None
    if target != "-":
        of = "STRUCT" if member != "-" else "TYPEDEF" if target.startswith("btf_trace_") else "FUNC"
        found = ids.get((of, target))
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
    row = (f"{label} {kind} {-1 if attach == '-' else attach} {found['id'] if found else 0} "
           f"{16 if sleepable == '1' else 0}")
    rows.append(row)
    kinds.setdefault(key, row)

def write(name, lines):
    with open(f"{sys.argv[3]}/{name}", "w") as out:
        out.writelines(f"{line}\n" for line in lines)

write("rows", rows)
write("kinds", sorted(kinds.values(), key=lambda k: k.split()[1] not in KINDS_FIRST))
write("funcs", (f"{t['id']} {t['name']}" for t in types if t["kind"] == "FUNC"))

protos = Protos(types)


def stub_of(struct, member):
    """The function that stands in for a member; the schedulers' structs share theirs."""
    return ids.get(("FUNC", f"{struct}__{member}")) or ids.get(("FUNC", f"{struct.removesuffix('_cid')}__{member}"))


def proto_of(t):
    """The prototype of a function, a tracepoint's typedef or a member's pointer."""
    while t["kind"] not in ("FUNC_PROTO", "STRUCT", "INT", "UNION", "ENUM", "ARRAY", "VOID"):
        t = protos.types[t["type_id"]]
    return t if t["kind"] == "FUNC_PROTO" else None


def row_of(kind, attach, target, sleepable, label, proto):
    return f"{label}{':sleepable' if sleepable else ''}={protos.of(proto, attach == 28)} {kind} {attach} {target['id']} {16 if sleepable else 0}"


hooks = [row_of(29, attach, t, sleepable, f"Lsm/{name}:{t['name']}", proto_of(t))
         for t in types if t["kind"] == "FUNC" and t["name"].startswith("bpf_lsm_")
         for attach, name, sleepable in ((27, "LsmMac", False), (27, "LsmMac", True), (43, "LsmCgroup", False))]
iters = [row_of(26, 28, t, False, f"Tracing/TraceIter:{t['name']}", proto_of(t))
         for t in types if t["kind"] == "FUNC" and t["name"].startswith("bpf_iter_")]
points = [row_of(26, 23, t, False, f"Tracing/TraceRawTp:{t['name']}",
                 proto_of(ids.get(("FUNC", "__bpf_trace_" + t["name"][10:]), t)))
          for t in types if t["kind"] == "TYPEDEF" and t["name"].startswith("btf_trace_") and proto_of(t)]
members = [row_of(27, i, t, sleepable, f"StructOps:{t['name']}.{m['name']}",
                  proto_of(stub_of(t["name"], m["name"]) or proto))    # the stub names what may be null
           for t in types if t["kind"] == "STRUCT" and ("STRUCT", f"bpf_struct_ops_{t['name']}") in ids
           for i, m in enumerate(t["members"]) for proto in [proto_of(protos.types[m["type_id"]])] if proto
           for sleepable in (False, True)]


def with_proto(row):
    label, kind, attach, number, flags = row.split()
    target = protos.types[int(number)]
    if target["kind"] == "STRUCT":
        target = protos.types[target["members"][int(attach)]["type_id"]]
    proto = proto_of(target)
    return row if proto is None else f"{label}={protos.of(proto)} {kind} {attach} {number} {flags}"


by_sleep = {}
for row in rows:
    by_sleep.setdefault((row.split()[1], row.endswith(" 16")), row)
write("callers", [with_proto(row) for row in sorted({*kinds.values(), *by_sleep.values()})])
with_protos = [with_proto(row) for row in rows]
write("pairs", with_protos)
write("returns", with_protos + hooks)
write("args", iters + members + hooks + points)
