using System.Collections.Immutable;
using Kptr.Btf;

namespace Kptr.Specs;

/// <summary>What a kernel version knows and does. Code asks the profile and never compares version numbers.</summary>
public sealed partial record KernelProfile(string Name, ProfileSet Member)
{
    /// <summary>When values die.</summary>
    public DestroyBehavior Destroy { get; init; } = DestroyBehavior.Eager;

    /// <summary>The newest map type that it has: types are numbered in the order they came.</summary>
    public BpfMapType LastMapType { get; init; } = BpfMapType.Arena;

    /// <summary>Which fields of kernel structs can be trusted.</summary>
    internal FieldTrust FieldTrust { get; init; } = FieldTrust.Linux6_12;

    /// <summary>
    /// Struct types that programs may implement, with the set of helpers they get; programs of other types get none,
    /// like those whose <c>bpf_verifier_ops</c> have no <c>get_func_proto</c>.
    /// </summary>
    internal ImmutableDictionary<string, string> StructOpsHelpers { get; init; } = s_structOps;

    /// <summary>What programs read in <c>LINUX_KERNEL_VERSION</c>: three bytes, <c>0x060c00</c> for 6.12.0.</summary>
    public int VersionCode { get; init; } = (6 << 16) | (12 << 8);

    /// <summary>What it knows of special fields.</summary>
    public BtfRecordRules RecordRules { get; init; } = BtfRecordRules.Linux6_12;

    /// <summary>Whether it has this map type.</summary>
    internal bool Knows(BpfMapType type) => type > BpfMapType.Unspec && type <= LastMapType;

    /// <summary>Its name.</summary>
    public override string ToString() => Name;

    /// <summary>The profile with this name (<c>linux-6.12</c>), or null.</summary>
    public static KernelProfile? Find(string name) =>
        All.FirstOrDefault(p => p.Name == name);
}
