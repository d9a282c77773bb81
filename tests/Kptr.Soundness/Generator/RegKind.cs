namespace Kptr.Soundness;

/// <summary>What a register of a generated program holds, as far as the generator minds.</summary>
internal enum RegKind
{
    /// <summary>Nothing, or nobody knows what.</summary>
    None,
    Scalar,
    Context,

    /// <summary>Something that a fragment further out still needs.</summary>
    Kept,
}
