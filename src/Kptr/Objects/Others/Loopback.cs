namespace Kptr.Objects;

/// <summary>The model's one network device.</summary>
internal static class Loopback
{
    /// <summary>Its index (<c>ifindex</c>).</summary>
    internal const int Index = 1;

    /// <summary>The longest packet that it takes, without the Ethernet header.</summary>
    internal const int MtuBytes = 65536;
}
