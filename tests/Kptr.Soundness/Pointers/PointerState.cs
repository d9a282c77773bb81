using System.Collections.Immutable;

namespace Kptr.Soundness;

/// <summary>Whether a pointer that may be null is compared.</summary>
internal enum NullCheck
{
    Itself,
    OfACopy,
    None,
}

/// <summary>The function that has the pointer.</summary>
internal enum Body
{
    Main,
    Static,
    Callback,
}

/// <summary>What a pointer has been through before it is used.</summary>
/// <param name="Name">Its name in tables.</param>
/// <param name="Then">What happens to the pointer in r7.</param>
internal sealed record PointerState(string Name, params string[] Then)
{
    /// <summary>What is opened before there is a pointer.</summary>
    internal string[] Before { get; init; } = [];

    /// <summary>What ends that behind its use.</summary>
    internal string[] Close { get; init; } = [];

    /// <summary>What ends it where there is no pointer.</summary>
    internal string[] CloseEarly { get; init; } = [];

    /// <summary>How a pointer that may be null is compared.</summary>
    internal NullCheck Check { get; init; }

    /// <summary>Whether the reference is given back here, or moved into its slot.</summary>
    internal bool Ends { get; init; }

    /// <summary>Whether the origin's lock ends here.</summary>
    internal bool EndsLock { get; init; }

    /// <summary>Where all of it happens.</summary>
    internal Body In { get; init; }

    /// <summary>The sections whose programs can be in it; empty for all.</summary>
    internal string[] Sections { get; init; } = [];

    private bool Moves { get; init; }

    /// <summary>Whether an origin's pointer can be in it, in a program of a section.</summary>
    internal bool Fits(PointerOrigin origin, string section) =>
        (Sections.Length == 0 || Sections.Contains(section))
        && (!Ends || origin.Release is not null)
        && (!Moves || origin.Slot is not null)
        && (!EndsLock || origin.Unlock.Length > 0)
        && (Check == NullCheck.Itself || origin.MayBeNull);

    /// <summary>What happens to an origin's pointer.</summary>
    internal IEnumerable<string> After(PointerOrigin origin) =>
        Moves ? [
            $"r1 = {origin.Slot!.Value.Map} ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem",
            "if r0 != 0 goto s1", "r1 = r7", .. PointerOrigin.Call(origin.Release!), "goto past", "s1:",
            "r1 = r0", $"r1 += {origin.Slot.Value.Off}", "r2 = r7", "call bpf_kptr_xchg", "if r0 == 0 goto s2",
            "r1 = r0", .. PointerOrigin.Call(origin.Release!), "s2:",
        ]
        : Ends ? ["r1 = r7", .. PointerOrigin.Call(origin.Release!)]
        : EndsLock ? origin.Unlock
        : Then;

    private static readonly string[] s_lock = ["call bpf_rcu_read_lock"];
    private static readonly string[] s_unlock = ["call bpf_rcu_read_unlock"];

    private static readonly string[] s_flags = ["r1 = r10", "r1 += -240"];

    /// <summary>All of them.</summary>
    internal static ImmutableArray<PointerState> All { get; } =
    [
        new("plain"),
        new("unchecked") { Check = NullCheck.None },
        new("copy_checked") { Check = NullCheck.OfACopy },
        new("spilled", "*(u64 *)(r10 - 32) = r7", "r7 = 0", "r7 = *(u64 *)(r10 - 32)"),
        new("in_rcu") { Before = s_lock, Close = s_unlock, CloseEarly = s_unlock },
        new("unchecked_in_rcu") { Before = s_lock, Close = s_unlock, CloseEarly = s_unlock, Check = NullCheck.None },
        new("rcu_began", s_lock) { Close = s_unlock },
        new("rcu_ended", s_unlock) { Before = s_lock, CloseEarly = s_unlock },
        new("rcu_again", [.. s_unlock, .. s_lock]) { Before = s_lock, Close = s_unlock, CloseEarly = s_unlock },
        new("no_preemption")
        {
            Before = ["call bpf_preempt_disable"], Close = ["call bpf_preempt_enable"],
            CloseEarly = ["call bpf_preempt_enable"],
        },
        new("up", "r7 += 8"),
        new("up_and_down", "r7 += 8", "r7 += -8"),
        new("somewhere", "call bpf_get_prandom_u32", "r0 &= 8", "r7 += r0"),
        new("masked", "r7 &= -8"),
        new("half", "w7 = w7"),
        new("released") { Ends = true },
        new("moved") { Ends = true, Moves = true },
        new("unlocked") { EndsLock = true },
        new("in_static") { In = Body.Static },
        new("in_callback") { In = Body.Callback },
        new("irq_off")
        {
            Before = [.. s_flags, "call bpf_local_irq_save"], Close = [.. s_flags, "call bpf_local_irq_restore"],
            CloseEarly = [.. s_flags, "call bpf_local_irq_restore"],
        },
        new("packet_changed", "r1 = r6", "r2 = 0", "call bpf_skb_pull_data") { Sections = ["tc"] },
        new("spoiled", "*(u64 *)(r10 - 32) = r7", "*(u8 *)(r10 - 32) = 0", "r7 = *(u64 *)(r10 - 32)"),
        new("swapped_out", "*(u64 *)(r10 - 32) = r7", "r7 = 0", "r7 = xchg_64(r10 - 32, r7)"),
        new("or_null", "call bpf_get_prandom_u32", "if r0 > 5 goto s3", "r7 = 0", "s3:"),
        new("or_frame", "call bpf_get_prandom_u32", "if r0 > 5 goto s3", "r7 = r10", "r7 += -8", "s3:"),
        new("twice", "r7 += r7"),
    ];
}
