namespace Kptr.Verifier.Scalars;

/// <content>The smallest range around two.</content>
internal partial struct ScalarRange
{
    /// <summary>Grows to contain every number that <paramref name="other"/> contains.</summary>
    internal void Include(in ScalarRange other)
    {
        Bits = Bits.Union(other.Bits);
        (SMin, SMax) = (Math.Min(SMin, other.SMin), Math.Max(SMax, other.SMax));
        (UMin, UMax) = (Math.Min(UMin, other.UMin), Math.Max(UMax, other.UMax));
        (S32Min, S32Max) = (Math.Min(S32Min, other.S32Min), Math.Max(S32Max, other.S32Max));
        (U32Min, U32Max) = (Math.Min(U32Min, other.U32Min), Math.Max(U32Max, other.U32Max));
        ForgetArcs();
    }
}
