namespace Kptr.Specs;

/// <summary>Bits of <see cref="ProgSpec.LoadFlags"/>, as in <c>include/uapi/linux/bpf.h</c>.</summary>
internal static class LoadFlag
{
#pragma warning disable CS1591 // each is the kernel's BPF_F_ name in .NET case
    public const uint StrictAlignment = 1 << 0;
    public const uint AnyAlignment = 1 << 1;
    public const uint TestRndHi32 = 1 << 2;
    public const uint TestStateFreq = 1 << 3;
    public const uint Sleepable = 1 << 4;
    public const uint XdpHasFrags = 1 << 5;
    public const uint XdpDevBoundOnly = 1 << 6;
    public const uint TestRegInvariants = 1 << 7;
#pragma warning restore CS1591
}
