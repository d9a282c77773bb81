using Kptr.Diagnostics;
using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>What a program may return.</content>
internal sealed partial class VerifierRun
{
    /// <summary>
    /// Refuses an exit with a value that whoever called the program does not take (<c>check_return_code</c>).
    /// </summary>
    private void CheckReturnCode(int regno, string regName)
    {
        var frame = Cur.Frames[0]!;
        var isThrown = regno != 0 && Kernel.Profile.ChecksThrownValues;
        var isSubprog = frame.Subprogno != 0 && !isThrown;
        if ((!isSubprog || frame.InExceptionCallback) && Hook.HasNoReturnValue)
        {
            return;
        }

        var isPlain = isSubprog && !frame.InExceptionCallback && !frame.InAsyncCallback;
        if (isPlain && Subprogs[frame.Subprogno].ReturnsVoid)
        {
            return;
        }

        if (!isSubprog && regno == 0 && !frame.InAsyncCallback && Hook.ReturnsPointer
            && IsReferenceOfResult(Reg(regno)))
        {
            CheckPtrOffReg(Reg(regno), regno, fixedOffOk: false);
            return;
        }

        CheckRegArg(regno, RegUse.Src);
        if (isPlain && Kernel.Profile.GlobalsReturnMore && Reg(regno).Type == RegType.PtrToArena)
        {
            return;
        }

        if (IsPointerValue(regno))
        {
            Reject(DiagCode.PtrLeak, $"R{regno} leaks addr as return value", regno, Errno.EACCES);
        }

        ref readonly var reg = ref Reg(regno);
        if (frame.InAsyncCallback)
        {
            EnforceReturn(regno, regName, new(0, 0), false, "At async callback return");
        }
        else if (isSubprog && !frame.InExceptionCallback)
        {
            if (reg.Type != RegType.Scalar)
            {
                Reject(DiagCode.ReturnValueInvalid,
                    $"At subprogram exit the register R{regno} is not a scalar value ({RegTypeName(reg.Type)})", regno);
            }
        }
        else if (_returns.OfProgram() is { } range)
        {
            EnforceReturn(regno, regName, range, Hook.IsLsmMac, "At program exit");
        }
    }

    // An owned object of just the type that the member returns.
    private bool IsReferenceOfResult(in RegState reg) => reg.Type.Base() == RegType.PtrToBtfId && reg.RefObjId != 0
        && ReferenceEquals(reg.Btf, Hook.Target!.Btf)
        && reg.BtfId == Hook.Target.Btf.SkipModifiers(Hook.ResultOfMember.RefTypeId).Id
        && Cur.Cur.TryFindRef(reg.RefObjId, out _);

    private void EnforceReturn(int regno, string regName, RetRange range, bool low32, string where)
    {
        ref readonly var reg = ref Reg(regno);
        if (reg.Type != RegType.Scalar)
        {
            Reject(DiagCode.ReturnValueInvalid,
                $"{where} the register R{regno} is not a known value ({RegTypeName(reg.Type)})", regno);
        }

        MarkChainPrecision(regno);
        if (!IsWithin(range, reg, low32))
        {
            RejectScalarRange(reg, regno, range, where, regName);
        }
    }

    private static bool IsWithin(RetRange range, in RegState reg, bool low32) => low32
        ? range.Min <= reg.Var.S32Min && reg.Var.S32Max <= range.Max
        : range.Min <= reg.Var.SMin && reg.Var.SMax <= range.Max;

    /// <summary>Refuses a scalar that is outside of what is expected (<c>verbose_invalid_scalar</c>).</summary>
    private void RejectScalarRange(in RegState reg, int regno, RetRange range, string where, string regName)
    {
        if (!Kernel.Profile.NamesRangesByEnds)
        {
            var value = reg.Var.Bits == Tnum.Unknown ? "has unknown scalar value" : $"has value {Bits(reg.Var.Bits)}";
            Reject(DiagCode.ReturnValueInvalid,
                $"{where} the register {regName} {value} should have been in {Bits(Range(range))}", regno);
        }

        var min = reg.Var.SMin > long.MinValue ? $" smin={reg.Var.SMin}" : "";
        var max = reg.Var.SMax < long.MaxValue ? $" smax={reg.Var.SMax}" : "";
        var known = min.Length + max.Length > 0 ? min + max : " unknown scalar value";
        Reject(DiagCode.ReturnValueInvalid,
            $"{where} the register {regName} has{known} should have been in [{range.Min}, {range.Max}]", regno);
    }

    private static Tnum Range(RetRange range) => Tnum.Range((ulong)(long)range.Min, (ulong)(long)range.Max);

    private static string Bits(Tnum bits) => $"({Hex(bits.Value)}; {Hex(bits.Mask)})";
}
