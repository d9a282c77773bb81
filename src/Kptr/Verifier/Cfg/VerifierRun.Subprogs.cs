using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <content>Finding the functions of the program.</content>
internal sealed partial class VerifierRun
{
    private const int TailCallHelper = 12;

    /// <summary>Index of the function that starts at this instruction, or -1 (<c>find_subprog</c>).</summary>
    public int FindSubprog(int insnIdx)
    {
        var at = ContainingSubprog(insnIdx);
        return at >= 0 && Subprogs[at].Start == insnIdx ? at : -1;
    }

    /// <summary>Index of the function this instruction is in, or -1.</summary>
    public int ContainingSubprog(int insnIdx)
    {
        int lo = 0, hi = Subprogs.Count - 1;
        if (hi < 0 || insnIdx < 0 || insnIdx >= Insns.Length)
        {
            return -1;
        }

        while (lo < hi)
        {
            var mid = lo + ((hi - lo + 1) / 2);
            if (Subprogs[mid].Start <= insnIdx)
            {
                lo = mid;
            }
            else
            {
                hi = mid - 1;
            }
        }

        return lo;
    }

    private static bool IsKfuncCall(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) && insn.Src == BpfOp.PseudoKfuncCall;

    private static bool IsHelperCall(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) && insn.Src == 0;

    private static bool IsPseudoFunc(in BpfInsn insn) => insn.Opcode == BpfOp.LdImm64 && insn.Src == BpfOp.PseudoFunc;

    /// <summary>Kernel: <c>add_subprog_and_kfunc</c>.</summary>
    private void DiscoverSubprogs()
    {
        AddSubprog(0);
        for (var i = 0; i < Insns.Length; i++)
        {
            ref readonly var insn = ref Insns[i];
            if (!IsPseudoFunc(insn) && !insn.IsLocalCall && !IsKfuncCall(insn))
            {
                continue;
            }

            InsnIdx = i;
            if (!BpfCapable)
            {
                Reject(DiagCode.PrivilegeMissing,
                    "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN",
                    errno: Errno.EPERM);
            }

            if (IsKfuncCall(insn))
            {
                CheckKfuncExists(i);
            }
            else
            {
                AddSubprog((int)Math.Clamp((long)i + insn.Imm + 1, -1, Insns.Length));
            }
        }

        InsnIdx = 0;
        var exceptionStart = FindExceptionCallback();
        if (exceptionStart > 0)
        {
            ExceptionCallbackSubprog = AddSubprog(exceptionStart);
        }

        for (var i = 0; i < Subprogs.Count; i++)
        {
            Subprogs[i].End = i + 1 < Subprogs.Count ? Subprogs[i + 1].Start : Insns.Length;
        }

        if (exceptionStart > 0)
        {
            ExceptionCallbackSubprog = FindSubprog(exceptionStart);
            var cb = Subprogs[ExceptionCallbackSubprog];
            cb.IsCallback = cb.IsAsyncCallback = cb.IsExceptionCallback = true;
        }
    }

    private int AddSubprog(int start)
    {
        if (start < 0 || start >= Insns.Length)
        {
            Reject(DiagCode.SubprogInvalid, "call to invalid destination");
        }

        var known = FindSubprog(start);
        if (known >= 0)
        {
            return known;
        }

        if (Subprogs.Count >= Limits.MaxSubprogs)
        {
            Reject(DiagCode.SubprogInvalid, "too many subprograms", errno: Errno.E2BIG);
        }

        var at = Subprogs.FindIndex(s => s.Start > start);
        at = at < 0 ? Subprogs.Count : at;
        Subprogs.Insert(at, new SubprogInfo { Start = start });
        return at;
    }

    /// <summary>Start of the exception callback named by the entry's declaration tag; 0 without one.</summary>
    private int FindExceptionCallback()
    {
        const string tag = "exception_callback:";
        if (Prog.FuncInfos.IsEmpty || Prog.Btf is not { } btf)
        {
            return 0;
        }

        var mainId = Prog.FuncInfos[0].TypeId;
        string? name = null;
        foreach (var value in DeclTags(btf, mainId, -1))
        {
            if (!value.StartsWith(tag, StringComparison.Ordinal))
            {
                continue;
            }

            if (name is not null)
            {
                Reject(DiagCode.ExceptionCallbackInvalid, "multiple exception callback tags for main subprog",
                    errno: Errno.EEXIST);
            }

            name = value[tag.Length..];
        }

        if (name is null)
        {
            return 0;
        }

        var id = btf.FindId(name, BtfKind.Func);
        if (id == 0)
        {
            Reject(DiagCode.ExceptionCallbackInvalid, $"exception callback '{name}' could not be found in BTF",
                errno: Errno.ENOENT);
        }

        if (btf[id].Linkage != 1)
        {
            Reject(DiagCode.ExceptionCallbackInvalid, $"exception callback '{name}' must have global linkage");
        }

        foreach (var info in Prog.FuncInfos)
        {
            if (info.TypeId != id)
            {
                continue;
            }

            if (info.InsnIdx == 0)
            {
                Reject(DiagCode.ExceptionCallbackInvalid, "invalid exception callback insn_off in func_info: 0");
            }

            return info.InsnIdx;
        }

        Reject(DiagCode.ExceptionCallbackInvalid, "exception callback type id not found in func_info");
        return 0;
    }

    /// <summary>Values of the declaration tags on a type (component -1) or one of its members or parameters.</summary>
    internal IEnumerable<string> DeclTags(BtfSpec btf, int typeId, int component)
    {
        _declTags ??= IndexDeclTags(btf);
        return _declTags.TryGetValue((typeId, component), out var tags) ? tags : [];
    }

    private static Dictionary<(int, int), List<string>> IndexDeclTags(BtfSpec btf)
    {
        var index = new Dictionary<(int, int), List<string>>();
        for (var id = btf.StartId; id < btf.TypeCount; id++)
        {
            var type = btf[id];
            if (type.Kind != BtfKind.DeclTag)
            {
                continue;
            }

            var key = (type.RefTypeId, type.ComponentIdx);
            if (!index.TryGetValue(key, out var list))
            {
                index[key] = list = [];
            }

            list.Add(type.Name);
        }

        return index;
    }

    private Dictionary<(int, int), List<string>>? _declTags;

    /// <summary>
    /// Jumps stay inside their function and functions do not run into the next (<c>check_subprogs</c>).
    /// </summary>
    private void CheckSubprogBounds()
    {
        var current = 0;
        for (var i = 0; i < Insns.Length; i++)
        {
            ref readonly var insn = ref Insns[i];
            var sub = Subprogs[current];
            InsnIdx = i;
            if (insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) && insn.Src == 0 && insn.Imm == TailCallHelper)
            {
                sub.HasTailCall = sub.TailCallReachable = true;
            }

            if (insn.Class == InsnClass.Ld && (insn.Opcode & BpfOp.ModeMask) is BpfOp.Abs or BpfOp.Ind
                && insn.Class == InsnClass.Ld)
            {
                sub.HasLdAbs = true;
            }

            CheckJumpInside(i, insn, sub);
            if (i == sub.End - 1)
            {
                if (insn.Opcode is not ((byte)InsnClass.Jmp | BpfOp.Exit) and not ((byte)InsnClass.Jmp32 | BpfOp.Ja)
                    and not ((byte)InsnClass.Jmp | BpfOp.Ja))
                {
                    Reject(DiagCode.SubprogInvalid, "last insn is not an exit or jmp");
                }

                current++;
            }
        }

        InsnIdx = 0;
    }

    private void CheckJumpInside(int i, in BpfInsn insn, SubprogInfo sub)
    {
        if (insn.Class is not (InsnClass.Jmp or InsnClass.Jmp32)
            || (insn.Opcode & BpfOp.OpMask) is BpfOp.Exit or BpfOp.Call)
        {
            return;
        }

        long target = insn.Opcode == ((byte)InsnClass.Jmp32 | BpfOp.Ja)
            ? (long)i + insn.Imm + 1
            : (long)i + insn.Off + 1;
        if (target < sub.Start || target >= sub.End)
        {
            Reject(DiagCode.JumpOutOfRange, $"jump out of range from insn {i} to {target}");
        }
    }
}
