using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Verifier.Cfg;

/// <summary>Finds the functions of a program.</summary>
/// <param name="prog">The program, for its BTF records.</param>
/// <param name="insns">Its instructions.</param>
/// <param name="tags">Declaration tags of its BTF; null without BTF.</param>
/// <param name="calls">What is known of its kfuncs.</param>
internal sealed class SubprogReader(ProgSpec prog, BpfInsn[] insns, BtfDeclTags? tags, ICallFacts calls)
{
    private readonly SubprogTable _subprogs = new(insns.Length);

    /// <summary>The functions of the program, each in its bounds.</summary>
    /// <param name="bpfCapable">Whether the loader may load programs of several functions at all.</param>
    public SubprogTable Read(bool bpfCapable)
    {
        Discover(bpfCapable);
        CheckBounds();
        return _subprogs;
    }

    /// <summary>Kernel: <c>add_subprog_and_kfunc</c>.</summary>
    private void Discover(bool bpfCapable)
    {
        Add(0, 0);
        for (var i = 0; i < insns.Length; i++)
        {
            ref readonly var insn = ref insns[i];
            if (!insn.IsFuncAddress && !insn.IsLocalCall && !insn.IsKfuncCall)
            {
                continue;
            }

            if (!bpfCapable)
            {
                Refusal.At(i, DiagCode.PrivilegeMissing,
                    "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN",
                    Errno.EPERM);
            }

            if (insn.IsKfuncCall)
            {
                calls.CheckKfuncExists(i);
            }
            else
            {
                Add(i, (int)Math.Clamp((long)i + insn.Imm + 1, -1, insns.Length));
            }
        }

        var exceptionStart = FindExceptionCallback();
        if (exceptionStart > 0)
        {
            Add(0, exceptionStart);
        }

        _subprogs.Close(exceptionStart);
    }

    private void Add(int from, int start)
    {
        if (start < 0 || start >= insns.Length)
        {
            Refusal.At(from, DiagCode.SubprogInvalid, "call to invalid destination");
        }

        if (_subprogs.Find(start) >= 0)
        {
            return;
        }

        if (_subprogs.Count >= Limits.MaxSubprogs)
        {
            Refusal.At(from, DiagCode.SubprogInvalid, "too many subprograms", Errno.E2BIG);
        }

        _subprogs.Add(start);
    }

    /// <summary>Start of the exception callback named by the entry's declaration tag; 0 without one.</summary>
    private int FindExceptionCallback()
    {
        const string tag = "exception_callback:";
        if (prog.FuncInfos.IsEmpty || prog.Btf is not { } btf || tags is null)
        {
            return 0;
        }

        var mainId = prog.FuncInfos[0].TypeId;
        string? name = null;
        foreach (var value in tags.Find(mainId, -1, tag))
        {
            if (name is not null)
            {
                Refusal.At(0, DiagCode.ExceptionCallbackInvalid, "multiple exception callback tags for main subprog",
                    Errno.EEXIST);
            }

            name = value;
        }

        if (name is null)
        {
            return 0;
        }

        var id = btf.FindId(name, BtfKind.Func);
        if (id == 0)
        {
            Refusal.At(0, DiagCode.ExceptionCallbackInvalid, $"exception callback '{name}' could not be found in BTF",
                Errno.ENOENT);
        }

        if (btf[id].Linkage != 1)
        {
            Refusal.At(0, DiagCode.ExceptionCallbackInvalid, $"exception callback '{name}' must have global linkage");
        }

        foreach (var info in prog.FuncInfos)
        {
            if (info.TypeId != id)
            {
                continue;
            }

            if (info.InsnIdx == 0)
            {
                Refusal.At(0, DiagCode.ExceptionCallbackInvalid,
                    "invalid exception callback insn_off in func_info: 0");
            }

            return info.InsnIdx;
        }

        Refusal.At(0, DiagCode.ExceptionCallbackInvalid, "exception callback type id not found in func_info");
        return 0;
    }

    /// <summary>
    /// Jumps stay inside their function and functions do not run into the next (<c>check_subprogs</c>).
    /// </summary>
    private void CheckBounds()
    {
        var current = 0;
        for (var i = 0; i < insns.Length; i++)
        {
            ref readonly var insn = ref insns[i];
            var sub = _subprogs[current];
            if (insn.Calls(HelperId.TailCall))
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
                    Refusal.At(i, DiagCode.SubprogInvalid, "last insn is not an exit or jmp");
                }

                current++;
            }
        }
    }

    private static void CheckJumpInside(int i, in BpfInsn insn, SubprogInfo sub)
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
            Refusal.At(i, DiagCode.JumpOutOfRange, $"jump out of range from insn {i} to {target}");
        }
    }
}
