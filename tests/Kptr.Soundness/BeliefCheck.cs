using System.Globalization;
using Kptr.Execution;
using Kptr.Verifier;
using Kptr.Verifier.State;

namespace Kptr.Soundness;

/// <summary>Holds the registers of a run against what the verifier believed of them.</summary>
internal sealed class BeliefCheck(RegBeliefs beliefs)
{
    private const int StackBytes = 512;

    /// <summary>Instructions that were looked at.</summary>
    internal long CheckedCount { get; private set; }

    /// <summary>
    /// What is wrong at this place, or null where some state the verifier explored contains the run's.
    /// </summary>
    internal string? Check(in RunPoint at)
    {
        var depth = at.IsDeferred ? at.Depth + 1 : at.Depth;
        var mask = InsnReads.MaskOf(at.Insns[at.InsnIdx], depth);
        if (mask == 0)
        {
            return null;
        }

        CheckedCount++;
        var states = beliefs[at.InsnIdx];
        string? closest = null;
        foreach (var state in states)
        {
            if (FindWrong(state, mask, at) is not { } wrong)
            {
                return null;
            }

            closest = wrong;
        }

        return closest ?? "the verifier believed that no path leads here";
    }

    private static string? FindWrong(RegBeliefs.State state, int mask, in RunPoint at)
    {
        for (var reg = 0; reg <= 10; reg++)
        {
            if ((mask & (1 << reg)) != 0 && !Holds(state.Regs[reg], at.Regs[reg], at.Regs[10]))
            {
                var belief = state.Regs[reg];
                return string.Create(CultureInfo.InvariantCulture,
                    $"r{reg} is 0x{at.Regs[reg]:x} (fp 0x{at.Regs[10]:x}), "
                        + $"believed {belief.Type} off {belief.Off} {Describe(belief)}; {at.Insns.Length} slots");
            }
        }

        return null;
    }

    private static string Describe(in RegBeliefs.Belief belief)
    {
        var v = belief.Var;
        return string.Create(CultureInfo.InvariantCulture,
            $"u64 [0x{v.UMin:x}, 0x{v.UMax:x}] s64 [{v.SMin}, {v.SMax}] u32 [0x{v.U32Min:x}, "
                + $"0x{v.U32Max:x}] s32 [{v.S32Min}, {v.S32Max}] bits (0x{v.Bits.Value:x}; 0x{v.Bits.Mask:x})");
    }

    private static bool Holds(in RegBeliefs.Belief belief, ulong value, ulong fp)
    {
        switch (belief.Type)
        {
            case RegType.Scalar:
                return belief.Var.Contains(value);
            case RegType.PtrToStack:
                return belief.Var.Contains(value - fp - (ulong)(StackBytes * belief.FramesUp) - (ulong)belief.Off);
            default:
                return value != 0 || !IsNeverNull(belief);
        }
    }

    private static bool IsNeverNull(in RegBeliefs.Belief belief) =>
        !belief.Type.MayBeNull() && belief.Type.Base() switch
        {
            RegType.PtrToMem => !belief.Type.Has(RegType.PtrUntrusted),
            RegType.PtrToMapValue or RegType.PtrToMapKey or RegType.ConstPtrToMap or RegType.PtrToPacket
                or RegType.PtrToBuf or RegType.PtrToFunc => true,
            RegType.PtrToBtfId =>
                belief.Type.Has(RegType.MemAlloc) && !belief.Type.Has(RegType.PtrUntrusted | RegType.MemRcu),
            _ => false,
        };
}
