using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <content>Load-time checks of the BTF function and line records.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Before functions are known (<c>check_btf_info_early</c>).</summary>
    private void CheckBtfFuncsEarly()
    {
        var infos = Prog.FuncInfos;
        for (var i = 0; i < infos.Length; i++)
        {
            if (i == 0 ? infos[i].InsnIdx != 0 : infos[i].InsnIdx <= infos[i - 1].InsnIdx)
            {
                Reject(DiagCode.BtfInfoInvalid, i == 0
                    ? $"nonzero insn_off {infos[i].InsnIdx} for the first func info record"
                    : $"same or smaller insn offset ({infos[i].InsnIdx}) than previous func info record "
                        + $"({infos[i - 1].InsnIdx})");
            }

            var id = infos[i].TypeId;
            if (Prog.Btf is not { } btf || id <= 0 || id >= btf.TypeCount || btf[id].Kind != BtfKind.Func
                || btf[btf[id].RefTypeId].Kind != BtfKind.FuncProto)
            {
                Reject(DiagCode.BtfInfoInvalid, $"invalid type id {id} in func info");
            }
        }
    }

    /// <summary>Once functions are known (<c>check_btf_info</c>).</summary>
    private void CheckBtfInfo()
    {
        if (Prog.FuncInfos.IsEmpty)
        {
            CheckAbnormalReturn();
        }
        else
        {
            CheckBtfFuncs(Prog.Btf!);
        }

        CheckLineInfos();
    }

    private void CheckAbnormalReturn()
    {
        foreach (var sub in Subprogs.Skip(1))
        {
            if (sub.HasLdAbs || sub.HasTailCall)
            {
                Reject(DiagCode.BtfInfoInvalid, sub.HasLdAbs
                    ? "LD_ABS is not allowed in subprogs without BTF"
                    : "tail_call is not allowed in subprogs without BTF");
            }
        }
    }

    private void CheckBtfFuncs(BtfSpec btf)
    {
        if (Prog.FuncInfos.Length != Subprogs.Count)
        {
            Reject(DiagCode.BtfInfoInvalid, "number of funcs in func_info doesn't match number of subprogs");
        }

        for (var i = 0; i < Subprogs.Count; i++)
        {
            var sub = Subprogs[i];
            var info = Prog.FuncInfos[i];
            if (sub.Start != info.InsnIdx)
            {
                Reject(DiagCode.BtfInfoInvalid, "func_info BTF section doesn't match subprog layout in BPF program");
            }

            var func = btf[info.TypeId];
            sub.FuncTypeId = info.TypeId;
            sub.Name = func.Name;
            sub.IsGlobal = func.Linkage == 1;
            var ret = btf.SkipModifiers(func.Ref.RefTypeId);
            var scalar = (ret.Kind == BtfKind.Int && ret.SizeBytes <= 8) || ret.Kind is BtfKind.Enum or BtfKind.Enum64;
            if (i > 0 && !scalar && (sub.HasLdAbs || sub.HasTailCall))
            {
                Reject(DiagCode.BtfInfoInvalid, sub.HasLdAbs
                    ? "LD_ABS is only allowed in functions that return 'int'."
                    : "tail_call is only allowed in functions that return 'int'.");
            }
        }
    }

    private void CheckLineInfos()
    {
        var lines = Prog.LineInfos;
        if (lines.IsEmpty)
        {
            return;
        }

        var s = 0;
        for (var i = 0; i < lines.Length; i++)
        {
            var at = lines[i].InsnIdx;
            if ((i > 0 && at <= lines[i - 1].InsnIdx) || at >= Insns.Length || at < 0)
            {
                var prev = i > 0 ? lines[i - 1].InsnIdx : 0;
                Reject(DiagCode.BtfInfoInvalid,
                    $"Invalid line_info[{i}].insn_off:{at} (prev_offset:{prev} prog->len:{Insns.Length})");
            }

            if (Insns[at].Opcode == 0)
            {
                Reject(DiagCode.BtfInfoInvalid, $"Invalid insn code at line_info[{i}].insn_off");
            }

            if (s < Subprogs.Count)
            {
                if (at == Subprogs[s].Start)
                {
                    s++;
                }
                else if (Subprogs[s].Start < at)
                {
                    Reject(DiagCode.BtfInfoInvalid, $"missing bpf_line_info for func#{s}");
                }
            }
        }

        if (s != Subprogs.Count)
        {
            Reject(DiagCode.BtfInfoInvalid,
                $"missing bpf_line_info for {Subprogs.Count - s} funcs starting from func#{s}");
        }
    }
}
