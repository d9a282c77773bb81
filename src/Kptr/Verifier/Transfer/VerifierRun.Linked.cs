using Kptr.Verifier.Precision;
using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Scalars with one id learn together.</content>
internal sealed partial class VerifierRun
{
    private bool LinksByAnyDifference => Kernel.Profile.LinksByAnyDifference;

    /// <summary>
    /// Collects the places with this id; those beyond the limit lose the link (<c>collect_linked_regs</c>).
    /// </summary>
    private void CollectLinked(int id, Span<int> linked, ref int count)
    {
        id &= ~RegState.AddConst;
        for (var f = Cur.CurFrame; f >= 0; f--)
        {
            var frame = Cur.Frames[f]!;
            var live = LinksByAnyDifference ? LiveBefore(Cur, f, InsnIdx) : -1;
            for (var i = 0; i < 10; i++)
            {
                if ((live & (1 << i)) == 0)
                {
                    continue;
                }

                CollectOne(ref frame.Regs[i], id, LinkedRegs.Entry(f, i, isReg: true), linked, ref count);
            }

            for (var i = 0; i < frame.SlotCount; i++)
            {
                if (frame.Stack[i].IsSpill)
                {
                    CollectOne(ref frame.Stack[i].Spilled, id, LinkedRegs.Entry(f, i, isReg: false), linked, ref count);
                }
            }
        }
    }

    private static void CollectOne(ref RegState reg, int id, int entry, Span<int> linked, ref int count)
    {
        if (reg.Type != RegType.Scalar || (reg.Id & ~RegState.AddConst) != id)
        {
            return;
        }

        if (count < linked.Length)
        {
            linked[count++] = entry;
        }
        else
        {
            ClearScalarId(ref reg);
        }
    }

    /// <summary>Hands what is known of one scalar to those linked with it (<c>sync_linked_regs</c>).</summary>
    private void SyncLinked(VerifierState state, ref RegState known, ReadOnlySpan<int> linked)
    {
        foreach (var entry in linked)
        {
            var frame = state.Frames[LinkedRegs.FrameOf(entry)]!;
            ref var reg = ref LinkedRegs.IsReg(entry)
                ? ref frame.Regs[LinkedRegs.IndexOf(entry)]
                : ref frame.Stack[LinkedRegs.IndexOf(entry)].Spilled;
            if (reg.Type != RegType.Scalar || System.Runtime.CompilerServices.Unsafe.AreSame(ref reg, ref known)
                || (reg.Id & ~RegState.AddConst) != (known.Id & ~RegState.AddConst)
                || ((reg.Id ^ known.Id) & RegState.AddConst) == RegState.AddConst)
            {
                continue;
            }

            if ((((reg.Id | known.Id) & RegState.AddConst) == 0) || reg.Off == known.Off)
            {
                reg = known;
                continue;
            }

            int off = reg.Off, id = reg.Id;
            var delta = ScalarRange.Const((ulong)((long)off - known.Off));
            reg = known;
            reg.Off = off;
            reg.Id = id;
            Numbers.AddRanges(ref reg.Var, delta);
            reg.Var.Bits += delta.Bits;
            if (LinksByAnyDifference)
            {
                if (((id | known.Id) & RegState.AddConst32) != 0)
                {
                    Numbers.ZeroExtend32(ref reg.Var);
                }

                Numbers.Sync(ref reg.Var);
            }
        }
    }
}
