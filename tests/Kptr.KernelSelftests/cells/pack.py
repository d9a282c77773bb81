"""pack.py: what maps.c, args.c and attach.c print, from standard input, as a table.

Maps: runs of a character are the character and their length, and types with the same answers along an axis share a line.
Arguments: a letter a word where the name of the struct is the prototype's; a target that takes no sleepable program, or
only such, has the word for it alone.
Functions: those with the same answers share a line; of the many that are answered as most, or for their prototype or the
lack of an address, every 500th is there, and those of NAMED, of which some kernel says something else.
"""
import itertools
import os
import re
import sys

VERSION = os.environ.get("VERSION", "6.12")
MAPS = (f"# What Linux {VERSION} answers who creates a map (cells/maps.c): + created, p EPERM, . EINVAL, b E2BIG, m ENOMEM, "
        "n ENOTSUPP, o EOPNOTSUPP, a EACCES, f EBADF, r ERANGE, y EBUSY, x its BTF is refused, - not asked; "
        "a number is how often the letter before it stands")
ARGS = (f"# What Linux {VERSION} gives a program that loads each word of its context (cells/args.c): n number, t trusted pointer, "
        "p pointer, b buffer, r read-only buffer, 0 behind them or null, e errno range, o 0 or 1, =NAME another struct than the "
        "prototype's, - may not be loaded, x no program is accepted")
ATTACH = (f"# What Linux {VERSION} says of attaching to a function (cells/attach.c), a character each for fentry, fexit, fmod_ret "
          "and, may they sleep, fentry and fmod_ret: + yes, m its result may not be changed, s it may not sleep, r it does not "
          "return, d denied, p for its prototype, a it has no address; ")
SAMPLE = 500
NAMED = re.compile(r"_*(migrate|rcu_read|preempt_count|kunit|kthread_exit|kthread_complete|module_put_and|make_task_dead|"
                   r"do_(group_)?exit|(x64|ia32)_sys_(exit|ac)|should_fail|bpf_(fentry|modify_return)|update_socket_protocol)")


def pack_map(words):
    runs = ((c, len(list(run))) for c, run in itertools.groupby(words[2]))
    return "".join(c if n == 1 else f"{c}{n}" for c, n in runs)


def letter_of(text, declared):
    if text in "-x":
        return text
    if text.startswith("scalar"):
        return "n" if text == "scalar()" else "e" if "-4095" in text else "o" if "smax=umax=smax32=umax32=1," in text else text
    found = re.fullmatch(r"(trusted_|rdonly_|)(ptr|buf)(_or_null|)_?(.*)\((?:id=1,?)?(?:off=0,imm=0)?\)", text)
    if not found:
        return text
    trust, kind, null, name = found.groups()
    letter = ("t" if trust == "trusted_" else "p") if kind == "ptr" else "r" if trust else "b"
    same = kind == "buf" or declared.rstrip("*").split(".", 1)[-1] == name
    return letter + ("0" if null else "") + ("" if same else f"={name}")


rows, args, funcs = {}, [], {}
for line in sys.stdin:
    words = line.split()[1:]
    if line.startswith("MAPS "):
        rows.setdefault((words[1], pack_map(words)), []).append(words[0])
    elif line.startswith("LIST "):
        rows[words[0], words[1]] = ["list"]
    elif line.startswith("ATTACH "):
        funcs.setdefault(words[1], []).append(words[0])
    elif line.startswith("ARGS "):
        label, proto = words[0].split("=", 1)
        declared = [p.rsplit(":", 1)[-1] for p in proto[proto.index("(") + 1:-1].split(",")]
        declared = declared[1:] if "TraceRawTp" in label else declared
        args.append((label, proto, " ".join(letter_of(w, d) for w, d in itertools.zip_longest(words[1:], declared[:len(words) - 1],
                                                                                             fillvalue=""))))
if funcs:
    print(ATTACH + ", ".join(f"{len(names)} {word}" for word, names in funcs.items()))
    most = max(funcs.values(), key=len)
    for word, names in funcs.items():
        many = names is most or "a" in word or "p" in word
        kept = [n for i, n in enumerate(names) if not many or i % SAMPLE == 0 or NAMED.match(n)]
        print(f"{','.join(kept)}\t{word}")
elif args:
    print(ARGS)
    for row in args:
        print("\t".join(row))
else:
    print(MAPS)
    for (axis, packed), types in rows.items():
        print(f"{axis}\t{','.join(types)}\t{packed}")
