namespace Kptr.Verifier.State;

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
/// <param name="kind">How it was taken.</param>
/// <param name="owner">The map or BTF whose object's lock it is.</param>
/// <param name="id">The id of the register that it was taken through.</param>
/// <param name="outer">The lock taken before.</param>
/// <remarks>Kernel: <c>REF_TYPE_LOCK_MASK</c> among a state's references (7.2).</remarks>
internal sealed class HeldLock(LockKind kind, object owner, int id, HeldLock? outer)
{
    public LockKind Kind => kind;

    public object Owner => owner;

    public int Id => id;

    public HeldLock? Outer => outer;

    /// <summary>The held lock of this object, of any kind, or null.</summary>
    public HeldLock? Find(object of, int through)
    {
        for (var held = this; held is not null; held = held.Outer)
        {
            if (ReferenceEquals(held.Owner, of) && held.Id == through)
            {
                return held;
            }
        }

        return null;
    }
}
