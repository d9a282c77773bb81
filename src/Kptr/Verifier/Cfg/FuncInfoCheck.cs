using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Verifier.Cfg;

/// <summary>Load-time checks of the BTF function and line records, which name the functions.</summary>
/// <param name="prog">The program with its records.</param>
/// <param name="insns">Its instructions.</param>
internal sealed class FuncInfoCheck(ProgSpec prog, BpfInsn[] insns)
{
    /// <summary>Before functions are known (<c>check_btf_info_early</c>).</summary>
    public void CheckEarly()
    {
        var infos = prog.FuncInfos;
        for (var i = 0; i < infos.Length; i++)
        {
            if (i == 0 ? infos[i].InsnIdx != 0 : infos[i].InsnIdx <= infos[i - 1].InsnIdx)
            {
                Refusal.At(0, DiagCode.BtfInfoInvalid, i == 0
                    ? $"nonzero insn_off {infos[i].InsnIdx} for the first func info record"
                    : $"same or smaller insn offset ({infos[i].InsnIdx}) than previous func info record "
                        + $"({infos[i - 1].InsnIdx})");
            }

            var id = infos[i].TypeId;
            if (prog.Btf is not { } btf || id <= 0 || id >= btf.TypeCount || btf[id].Kind != BtfKind.Func
                || btf[btf[id].RefTypeId].Kind != BtfKind.FuncProto)
            {
                Refusal.At(0, DiagCode.BtfInfoInvalid, $"invalid type id {id} in func info");
            }
        }
    }

    /// <summary>Once functions are known (<c>check_btf_info</c>).</summary>
    public void Check(SubprogTable subprogs)
    {
        if (prog.FuncInfos.IsEmpty)
        {
            CheckAbnormalReturn(subprogs);
        }
        else
        {
            CheckFuncs(subprogs, prog.Btf!);
        }

        CheckLineInfos(subprogs);
    }

    private static void CheckAbnormalReturn(SubprogTable subprogs)
    {
        foreach (var sub in subprogs.Skip(1))
        {
            if (sub.HasLdAbs || sub.HasTailCall)
            {
                Refusal.At(0, DiagCode.BtfInfoInvalid, sub.HasLdAbs
                    ? "LD_ABS is not allowed in subprogs without BTF"
                    : "tail_call is not allowed in subprogs without BTF");
            }
        }
    }

    private void CheckFuncs(SubprogTable subprogs, BtfSpec btf)
    {
        if (prog.FuncInfos.Length != subprogs.Count)
        {
            Refusal.At(0, DiagCode.BtfInfoInvalid, "number of funcs in func_info doesn't match number of subprogs");
        }

        for (var i = 0; i < subprogs.Count; i++)
        {
            var sub = subprogs[i];
            var info = prog.FuncInfos[i];
            if (sub.Start != info.InsnIdx)
            {
                Refusal.At(0, DiagCode.BtfInfoInvalid,
                    "func_info BTF section doesn't match subprog layout in BPF program");
            }

            var func = btf[info.TypeId];
            sub.FuncTypeId = info.TypeId;
            sub.Name = func.Name;
            sub.IsGlobal = func.Linkage == 1;
            var ret = btf.SkipModifiers(func.Ref.RefTypeId);
            var scalar = (ret.Kind == BtfKind.Int && ret.SizeBytes <= 8) || ret.Kind is BtfKind.Enum or BtfKind.Enum64;
            if (i > 0 && !scalar && (sub.HasLdAbs || sub.HasTailCall))
            {
                Refusal.At(0, DiagCode.BtfInfoInvalid, sub.HasLdAbs
                    ? "LD_ABS is only allowed in functions that return 'int'."
                    : "tail_call is only allowed in functions that return 'int'.");
            }
        }
    }

    private void CheckLineInfos(SubprogTable subprogs)
    {
        var lines = prog.LineInfos;
        if (lines.IsEmpty)
        {
            return;
        }

        var s = 0;
        for (var i = 0; i < lines.Length; i++)
        {
            var at = lines[i].InsnIdx;
            if ((i > 0 && at <= lines[i - 1].InsnIdx) || at >= insns.Length || at < 0)
            {
                var prev = i > 0 ? lines[i - 1].InsnIdx : 0;
                Refusal.At(0, DiagCode.BtfInfoInvalid,
                    $"Invalid line_info[{i}].insn_off:{at} (prev_offset:{prev} prog->len:{insns.Length})");
            }

            if (insns[at].Opcode == 0)
            {
                Refusal.At(0, DiagCode.BtfInfoInvalid, $"Invalid insn code at line_info[{i}].insn_off");
            }

            if (s < subprogs.Count)
            {
                if (at == subprogs[s].Start)
                {
                    s++;
                }
                else if (subprogs[s].Start < at)
                {
                    Refusal.At(0, DiagCode.BtfInfoInvalid, $"missing bpf_line_info for func#{s}");
                }
            }
        }

        if (s != subprogs.Count)
        {
            Refusal.At(0, DiagCode.BtfInfoInvalid,
                $"missing bpf_line_info for {subprogs.Count - s} funcs starting from func#{s}");
        }
    }
}
