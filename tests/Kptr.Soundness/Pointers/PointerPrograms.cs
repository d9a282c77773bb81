using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Soundness;

/// <summary>
/// Every pointer that a program may get, in every state it may be in, put to every use: one small program each, for a
/// real kernel to judge. The pointer is in r7, the context in r6.
/// </summary>
internal static partial class PointerPrograms
{
    private static readonly string[] s_sections = ["tc", "syscall", "tp_btf/task_newtask", "lsm.s/file_open"];

    /// <summary>One pointer in one state, in a program of one kind.</summary>
    /// <param name="Section">The program's section.</param>
    /// <param name="Origin">Where the pointer is from.</param>
    /// <param name="State">What has happened since.</param>
    internal sealed record Row(string Section, PointerOrigin Origin, PointerState State)
    {
        /// <summary>What the row is called in tables.</summary>
        internal string Label => $"{Section}:{Origin.Name}:{State.Name}";

        /// <summary>
        /// The program that puts the pointer to a use; null where the kernel has no such type, or would die of it.
        /// </summary>
        internal GeneratedProgram? Program(PointerUse use, KernelSpec kernel)
        {
            string?[] lines = [.. Lines(use).Select(l => Resolve(l, kernel))];
            return lines.Contains(null) || use.NotOf.Contains(Origin.Name) ? null
                : new(Section, [.. lines!]) { Base = ProgBase.Ownership };
        }

        private IEnumerable<string> Lines(PointerUse use)
        {
            IEnumerable<string> start = ["r6 = r1", "*(u64 *)(r10 - 8) = 0", .. State.Before, .. Origin.Take];
            var check = !Origin.MayBeNull || State.Check == NullCheck.None ? ["r7 = r0"]
                : State.Check == NullCheck.OfACopy ? (string[])["r7 = r0", "r9 = r0", $"if r9 == 0 goto {Origin.None}"]
                : [$"if r0 == 0 goto {Origin.None}", "r7 = r0"];
            var gives = Origin.Release is not null && !use.Takes && !State.Ends;
            string[] back = !gives ? []
                : [
                    .. Origin.MayBeNull && State.Check == NullCheck.None ? ["if r7 == 0 goto kept"] : (string[])[],
                    "r1 = r7", .. PointerOrigin.Call(Origin.Release!), "kept:",
                ];
            return
            [
                .. State.In switch
                {
                    Body.Static => s_static,
                    Body.Callback => s_callback,
                    _ => (string[])[],
                },
                .. start, .. check, .. State.After(Origin), .. use.Lines, .. back,
                .. State.EndsLock ? ["goto past"] : (string[])[], "unlock:", .. Origin.Unlock, "past:", .. State.Close,
                "goto done", "none:", .. State.CloseEarly, "done:", "r0 = 0", "exit", .. use.Functions,
                .. Origin.Functions,
            ];
        }
    }

    private static readonly string[] s_static = ["call fn_sub9", "r0 = 0", "exit", "fn_sub9:"];

    private static readonly string[] s_callback =
    [
        "r3 = r1", "r1 = 2", "r2 = fn_loop9 ll", "r4 = 0", "call bpf_loop", "r0 = 0", "exit", "fn_loop9:", "r1 = r2",
    ];

    // Programs that are asked of their context alone.
    private static readonly string[] s_contexts =
    [
        "socket", "kprobe", "tracepoint", "raw_tp", "raw_tp.w", "perf_event", "xdp", "cgroup/dev", "cgroup/sysctl",
        "cgroup/getsockopt", "cgroup/sock_create", "cgroup/connect4", "cgroup_skb/egress", "sockops", "sk_msg",
        "sk_skb", "sk_lookup", "sk_reuseport", "flow_dissector", "lirc_mode2", "netfilter", "lwt_in", "lsm/file_open",
        "fentry/bpf_fentry_test1", "iter/task",
    ];

    /// <summary>All rows: states that an origin cannot be in are left out.</summary>
    internal static ImmutableArray<Row> Rows { get; } =
    [
        .. from section in s_sections
           from origin in PointerOrigin.All
           where origin.Sections.Length == 0 || origin.Sections.Contains(section)
           from state in PointerState.All
           where state.Fits(origin, section)
           select new Row(section, origin, state),
        .. from section in s_contexts
           from origin in PointerOrigin.All
           where origin.Name is "context"
           from state in PointerState.All
           where state.Fits(origin, section)
           select new Row(section, origin, state),
    ];

    // {#type} is the number of the kernel's type, {type.member} where its member is.
    private static string? Resolve(string line, KernelSpec kernel)
    {
        if (PlacePattern().Match(line) is not { Success: true } place)
        {
            return line;
        }

        int? number = kernel.Types.Find(place.Groups[2].Value, BtfKind.Struct) is not { } at ? null
            : place.Groups[1].Length > 0 ? at.TypeId
            : kernel.Types[at] is var type ? type.Btf.FindPath(type.Id, place.Groups[3].Value)?.OffsetBytes : null;
        return number is null ? null
            : line.Replace(place.Value, number.Value.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
    }

    [GeneratedRegex(@"\{(#?)(\w+)\.?(\w*)\}")]
    private static partial Regex PlacePattern();
}
