using System.Runtime.CompilerServices;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Keys. Kernel: kernel/trace/bpf_trace.c, 6.12; later kernels have them in the generic set.</summary>
/// <remarks>The model keeps no keyrings: every positive serial number names a key.</remarks>
[KfuncSet(KfuncHooks.Tracing)]
internal static class KeyKfuncs
{
    private const ulong LookupFlags = 3;
    private const ulong SystemKeyringMax = 2;

    [Kfunc("bpf_lookup_user_key", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Sleepable,
        Profiles = ProfileSet.Early | ProfileSet.Linux6_12,
        Prototype = "struct bpf_key *bpf_lookup_user_key(u32 serial, u64 flags)")]
    [Kfunc("bpf_lookup_user_key", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Sleepable,
        Hooks = KfuncHooks.Generic, Profiles = ProfileSet.Linux7_2,
        Prototype = "struct bpf_key *bpf_lookup_user_key(u32 serial, u64 flags)")]
    internal static KernelRef<BpfKey>? LookupUserKey(
        KernelCore core, int serial, ulong flags, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        (flags & ~LookupFlags) == 0
        && serial > 0 ? KernelRef.Own(new BpfKey(core, serial, isSystemKey: false), file, line) : null;

    /// <summary>System keyrings go by small numbers: builtin, secondary, platform.</summary>
    [Kfunc("bpf_lookup_system_key", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Profiles = ProfileSet.Early | ProfileSet.Linux6_12,
        Prototype = "struct bpf_key *bpf_lookup_system_key(u64 id)")]
    [Kfunc("bpf_lookup_system_key", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Hooks = KfuncHooks.Generic, Profiles = ProfileSet.Linux7_2,
        Prototype = "struct bpf_key *bpf_lookup_system_key(u64 id)")]
    internal static KernelRef<BpfKey>? LookupSystemKey(
        KernelCore core, ulong id, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        id <= SystemKeyringMax ? KernelRef.Own(new BpfKey(core, (int)id, isSystemKey: true), file, line) : null;

    [Kfunc("bpf_key_put", KfuncFlags.Release,
        Profiles = ProfileSet.Early | ProfileSet.Linux6_12, Prototype = "void bpf_key_put(struct bpf_key *bkey)")]
    [Kfunc("bpf_key_put", KfuncFlags.Release,
        Hooks = KfuncHooks.Generic, Profiles = ProfileSet.Linux7_2,
        Prototype = "void bpf_key_put(struct bpf_key *bkey)")]
    internal static void KeyPut(
        [TakesOwnership] KernelRef<BpfKey> key, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        key.Release(file, line);
}
