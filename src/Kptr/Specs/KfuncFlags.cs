namespace Kptr.Specs;

/// <summary>What the verifier must know of a kfunc; the bits of <c>KF_*</c> in <c>include/linux/btf.h</c>.</summary>
/// <remarks>Bit 3 existed from 5.19 to 6.3 only: the first argument is the address of a kptr slot.</remarks>
[Flags]
public enum KfuncFlags
{
#pragma warning disable CS1591 // each is the kernel's KF_ name in .NET case
    None = 0,
    Acquire = 1 << 0,
    Release = 1 << 1,
    RetNull = 1 << 2,
    KptrGet = 1 << 3,
    TrustedArgs = 1 << 4,
    Sleepable = 1 << 5,
    Destructive = 1 << 6,
    Rcu = 1 << 7,
    IterNew = 1 << 8,
    IterNext = 1 << 9,
    IterDestroy = 1 << 10,
    RcuProtected = 1 << 11,
    Fastcall = 1 << 12,
#pragma warning restore CS1591
}
