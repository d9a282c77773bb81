using Kptr.Isa;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>What is proven of loads and stores, for code that leaves their checks out.</content>
internal sealed partial class VerifierRun
{
    private readonly ProvenAccess[] _proven;

    /// <summary>Adds a path to what is known of the access of the current instruction.</summary>
    /// <param name="reg">The pointer, before the access.</param>
    /// <param name="off">Its fixed offset with that of the instruction.</param>
    /// <param name="size">Bytes.</param>
    private void NoteAccess(in RegState reg, int off, int size)
    {
        if (!Options.ProvesAccesses || Insns[InsnIdx].Class is not (InsnClass.Ldx or InsnClass.St or InsnClass.Stx))
        {
            return;
        }

        ref var known = ref _proven[InsnIdx];
        known = known.Join(PlaceOf(reg, off, size));
    }

    private ProvenAccess PlaceOf(in RegState reg, int off, int size)
    {
        var (low, end) = (reg.Var.SMin + off, reg.Var.SMax + off + size);
        var isNear = reg.Var.SMin > -Limits.MaxVarOff && reg.Var.SMax < Limits.MaxVarOff;
        return reg.Type switch
        {
            _ when !isNear => new(AccessPlace.Anywhere),
            RegType.PtrToStack when reg.Frameno == Cur.CurFrame && low >= -Limits.MaxBpfStack && end <= 0 =>
                new(AccessPlace.OwnFrame, low, end),
            RegType.PtrToCtx when low >= 0 => new(AccessPlace.Context, low, end),
            RegType.PtrToMapValue when reg.MapUid == 0 && low >= 0 && end <= reg.Map!.ValueSize =>
                new(AccessPlace.MapValue, low, end, reg.Map),
            _ => new(AccessPlace.Anywhere),
        };
    }
}
