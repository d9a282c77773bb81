"""What the rows of returns.c and args.c need to know of prototypes, written as short as a label: without spaces, names of
parameters kept where they mean something, types no finer than the verifier looks at them."""
MODIFIERS = ("CONST", "VOLATILE", "RESTRICT", "TYPEDEF", "TYPE_TAG")


class Protos:
    def __init__(self, types):
        self.types = [{"kind": "VOID", "name": "void"}] + types

    def skip(self, number):
        while self.types[number]["kind"] in MODIFIERS:
            number = self.types[number]["type_id"]
        return self.types[number]

    def size(self, t):
        if t["kind"] == "PTR":
            return 8
        if t["kind"] == "ARRAY":
            return t["nr_elems"] * self.size(self.skip(t["type_id"]))
        return t.get("size", 0)

    def name(self, number):
        t = self.skip(number)
        kind, name = t["kind"], t["name"]
        if kind in ("STRUCT", "UNION"):
            return f"{kind.lower()}.{'' if name == '(anon)' else name}"
        if kind == "FWD":
            return f"fwd.{name}"
        if kind == "PTR":
            to = self.name(t["type_id"])
            return ("cvoid" if to == "void" and t["type_id"] != 0 else to) + "*"    # not the same to the verifier
        return kind.lower()

    def param(self, number, name=""):
        """What stands for a parameter or result: its type, the size of what is not a pointer, __nullable."""
        t = self.skip(number)
        text = self.name(number)
        if t["kind"] not in ("PTR", "VOID"):
            text += f"/{self.size(t)}"
        return f"{name}:{text}" if name else text

    def of(self, proto, names=False):
        """result(type,name:type)"""
        params = ((p["type_id"], p["name"] if names or p["name"].endswith("__nullable") else "") for p in proto["params"])
        return f"{self.param(proto['ret_type_id'])}({','.join(self.param(*p) for p in params)})"
