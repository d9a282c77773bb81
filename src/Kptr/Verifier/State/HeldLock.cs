namespace Kptr.Verifier;

/// <summary>Which calls take and release a lock.</summary>
internal enum LockKind : byte
{
    /// <summary><c>bpf_spin_lock</c>: one at a time.</summary>
    Spin,

    /// <summary><c>bpf_res_spin_lock</c>, which may fail and is taken in any number.</summary>
    Resilient,

    /// <summary><c>bpf_res_spin_lock_irqsave</c></summary>
    ResilientIrq,
}

/// <summary>A spin lock that is held, and those taken before it: the last one taken is released first.</summary>
/// <param name="Kind">How it was taken.</param>
/// <param name="Owner">The map or BTF whose object's lock it is.</param>
/// <param name="Id">The id of the register that it was taken through.</param>
/// <param name="Outer">The lock taken before.</param>
/// <remarks>Kernel: <c>REF_TYPE_LOCK_MASK</c> among a state's references (7.2).</remarks>
internal sealed record HeldLock(LockKind Kind, object Owner, int Id, HeldLock? Outer)
{
    /// <summary>The held lock of this object, of any kind, or null.</summary>
    public HeldLock? Find(object owner, int id)
    {
        for (var held = this; held is not null; held = held.Outer)
        {
            if (ReferenceEquals(held.Owner, owner) && held.Id == id)
            {
                return held;
            }
        }

        return null;
    }
}
