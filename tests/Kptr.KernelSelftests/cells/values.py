"""values.py DIR: writes the BTF of each map value that maps.c asks about, DIR/0.btf and so on, in the order it asks.

The struct of each is "v": one field, two, three beside a lock, arrays of two, and one inside a struct. The test that reads
the answers makes the same list. One BTF each, because the kernel refuses a BTF for one bad struct. DIR/list has a line for
each, "number id-of-v size" and the ids and sizes of the key types.
"""
import struct
import sys

INT, PTR, ARRAY, STRUCT, ENUM, DECL_TAG, TYPE_TAG = 1, 2, 3, 4, 6, 17, 18
FIELDS = ["spin_lock", "timer", "wq", "kptr", "kptr_untrusted", "local", "percpu", "list", "tree", "refcount", "list_node",
          "rb_node", "long"]
ROOTS = {"list": ("list_head", "contains:elem:l"), "tree": ("rb_root", "contains:elem:r")}
POINTERS = {"kptr": ("kptr", "task_struct"), "kptr_untrusted": ("kptr_untrusted", "task_struct"), "local": ("kptr", "elem"),
            "percpu": ("percpu_kptr", "elem")}
WORDS = {"spin_lock": 1, "timer": 4, "wq": 4, "list_head": 4, "rb_root": 4, "refcount": 1, "list_node": 6, "rb_node": 8}

VALUES = [[f] for f in FIELDS] + [[f, g] for f in FIELDS for g in FIELDS]
VALUES += [["spin_lock", root, f] for root in ROOTS for f in FIELDS]
VALUES += [[f, "[]"] for f in FIELDS] + [[f, "{}"] for f in FIELDS]


class Btf:
    def __init__(self):
        self.types, self.strings, self.ids, self.sizes = [], b"\0", {}, {}
        self.int = self.add(INT, "int", 4, 1 << 24 | 32)
        self.long = self.add(INT, "long", 8, 1 << 24 | 64)
        for name, words in WORDS.items():
            of = self.int if words == 1 else self.array(self.long, words // 2)
            self.struct(f"bpf_{name}", [("a", of, None)])
        self.struct("task_struct", [("pid", self.int, None)])
        self.struct("elem", [("l", self.ids["bpf_list_node"], None), ("r", self.ids["bpf_rb_node"], None),
                             ("c", self.ids["bpf_refcount"], None), ("x", self.long, None)])

    def add(self, kind, name, size, *rest, vlen=0):
        at = 0 if name is None else len(self.strings)
        self.strings += b"" if name is None else name.encode() + b"\0"
        self.types.append(struct.pack(f"<{3 + len(rest)}I", at, kind << 24 | vlen, size, *rest))
        number = len(self.types)
        self.ids[name] = number
        self.sizes[number] = 8 if kind == PTR else size if kind in (INT, STRUCT, ENUM) else 0
        return number

    def array(self, of, count):
        number = self.add(ARRAY, None, 0, of, self.int, count)
        self.sizes[number] = count * self.sizes[of]
        return number

    def struct(self, name, members):
        """Members are name, type and the text of a declaration tag."""
        end, align, rest = 0, 1, []
        for member, of, _ in members:
            step = 8 if self.sizes[of] % 8 == 0 else min(self.sizes[of], 4)
            end, align = -(-end // step) * step, max(align, step)
            rest += [len(self.strings), of, 8 * end]
            self.strings += member.encode() + b"\0"
            end += self.sizes[of]
        number = self.add(STRUCT, name, -(-end // align) * align, *rest, vlen=len(members))
        for i, (_, _, tag) in enumerate(members):
            if tag:
                self.add(DECL_TAG, tag, number, i)
        return number

    def field(self, kind):
        """Type and declaration tag."""
        if kind in POINTERS:
            tag, pointee = POINTERS[kind]
            return self.add(PTR, None, self.add(TYPE_TAG, tag, self.ids[pointee])), None
        name, tag = ROOTS.get(kind, (kind, None))
        return (self.long if kind == "long" else self.ids[f"bpf_{name}"]), tag

    def value(self, kinds):
        if kinds[-1] == "{}":
            of, tag = self.field(kinds[0])
            return self.struct("v", [("n", self.struct("inner", [("a", of, tag)]), None)])
        if kinds[-1] == "[]":
            of, tag = self.field(kinds[0])
            return self.struct("v", [("a", self.array(of, 2), tag)])
        return self.struct("v", [("abc"[i], *self.field(kind)) for i, kind in enumerate(kinds)])

    def keys(self):
        yield self.int
        yield self.add(INT, "unsigned int", 4, 32)
        yield self.add(INT, "long long", 8, 1 << 24 | 64)
        yield self.add(INT, "char", 1, 1 << 24 | 8)
        yield self.struct("key4", [("a", self.int, None)])
        char = self.add(INT, "char", 1, 8)
        yield self.struct("key8", [("prefixlen", self.int, None), ("data", self.array(char, 4), None)])
        yield self.struct("bpf_cgroup_storage_key", [("inode", self.long, None), ("type", self.int, None)])
        yield self.add(ENUM, "e", 4, 1, 0, vlen=1)    # its one value is named like the first type
        yield self.add(INT, "short", 2, 1 << 24 | 16)
        yield self.add(INT, "_Bool", 1, 4 << 24 | 8)

    def write(self, path):
        body = b"".join(self.types)
        with open(path, "wb") as out:
            out.write(struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(body), len(body), len(self.strings)))
            out.write(body + self.strings)


with open(f"{sys.argv[1]}/list", "w") as out:
    for i, kinds in enumerate(VALUES):
        btf = Btf()
        numbers = [btf.value(kinds), *btf.keys()]
        btf.write(f"{sys.argv[1]}/{i}.btf")
        print(i, *(f"{number} {btf.sizes[number]}" for number in numbers), file=out)
