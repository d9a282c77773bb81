namespace Kptr.Soundness;

/// <summary>What people get wrong, put into programs that were right: lines go, come twice or change.</summary>
/// <param name="random">Decides what goes wrong, and where.</param>
internal sealed class ProgFaults(Random random)
{
    private static readonly string[] Ends = [
        "bpf_task_release", "bpf_cgroup_release", "bpf_cpumask_release", "bpf_obj_drop_impl",
        "bpf_percpu_obj_drop_impl", "bpf_sk_release", "bpf_key_put", "bpf_put_file", "bpf_ringbuf_submit",
        "bpf_ringbuf_discard", "bpf_ringbuf_submit_dynptr", "bpf_ringbuf_discard_dynptr", "bpf_spin_unlock",
        "bpf_rcu_read_unlock", "bpf_preempt_enable", "bpf_iter_num_destroy", "bpf_iter_task_destroy",
        "bpf_iter_css_destroy", "bpf_iter_bits_destroy", "bpf_iter_task_vma_destroy", "bpf_crypto_ctx_release",
    ];

    /// <summary>A small fault of the kind people make.</summary>
    public void Slip(List<string> lines)
    {
        var at = random.Next(lines.Count);

        // An iterator at the frame's very top is accepted by Linux 6.12, and so by the verifier: there
        // is nothing to find there.
        if (lines[at].EndsWith(':') || lines[at].StartsWith("r1 += -", StringComparison.Ordinal))
        {
            return;
        }

        switch (random.Next(4))
        {
            case 0:
                lines.RemoveAt(at);
                break;
            case 1 when at + 1 < lines.Count && !lines[at + 1].EndsWith(':'):
                (lines[at], lines[at + 1]) = (lines[at + 1], lines[at]);
                break;
            case 2:
                lines[at] = lines[at].Replace($"r{random.Next(10)}", $"r{random.Next(10)}", StringComparison.Ordinal);
                break;
            default:
                lines[at] = lines[at].Replace("== 0", "!= 0", StringComparison.Ordinal);
                break;
        }
    }

    /// <summary>One fault of those that programs about owners have.</summary>
    public void Spoil(List<string> lines)
    {
        switch (random.Next(12))
        {
            case 0:
                Change(lines, IsEnd, lines.RemoveAt);
                break;
            case 1:
                Change(lines, IsEnd, at => lines[at] = $"call {Ends[random.Next(Ends.Length)]}");
                break;
            case 2:
                Change(lines, IsEnd, at => lines.InsertRange(at + 1, lines[ArgumentOf(lines, at)..(at + 1)]));
                break;
            case 3:
                Change(lines, l => l.Contains("== 0 goto", StringComparison.Ordinal), lines.RemoveAt);
                break;
            case 4:
                Change(lines, l => l.Contains("== 0 goto", StringComparison.Ordinal), at => lines[at] =
                    lines[at].Replace("== 0", "!= 0", StringComparison.Ordinal));
                break;
            case 5:
                Change(lines, IsPlain, at => lines.InsertRange(at, ["if r10 == 77 goto +2", "r0 = 0", "exit"]));
                break;
            case 6:
                Change(lines, IsPlain, at => lines.Insert(
                    at, $"r{random.Next(10)} = *(u64 *)(r{random.Next(6, 10)} + 0)"));
                break;
            case 7:
                Change(lines, l => l.StartsWith("call bpf_", StringComparison.Ordinal), lines.RemoveAt);
                break;
            case 8:
                Change(lines, l => l.StartsWith("call bpf_", StringComparison.Ordinal), at =>
                    Change(lines, l => l.StartsWith("call bpf_", StringComparison.Ordinal), other =>
                        (lines[at], lines[other]) = (lines[other], lines[at])));
                break;
            case 9 or 10:
                Change(lines, IsEnd, at => UseAfter(lines, at));
                break;
            default:
                Slip(lines);
                break;
        }
    }

    /// <summary>Looks at what was given back a moment ago, through the register that it was taken from.</summary>
    private static void UseAfter(List<string> lines, int at)
    {
        if (ArgumentOf(lines, at) is var moved && moved < at)
        {
            lines.Insert(at + 1, $"r0 = *(u64 *)(r{lines[moved][6]} + 0)");
        }
    }

    /// <summary>The line that puts a register into a call's first argument; the call itself where none does.</summary>
    private static int ArgumentOf(List<string> lines, int call)
    {
        var moved = lines.FindLastIndex(
            call, Math.Min(call + 1, 3), l => l.StartsWith("r1 = r", StringComparison.Ordinal) && l.Length == 7);
        return moved < 0 ? call : moved;
    }

    private void Change(List<string> lines, Func<string, bool> fits, Action<int> change)
    {
        int[] places = [.. Enumerable.Range(0, lines.Count).Where(i => fits(lines[i]))];
        if (places.Length > 0)
        {
            change(places[random.Next(places.Length)]);
        }
    }

    private static bool IsEnd(string line) =>
        line.StartsWith("call ", StringComparison.Ordinal) && Array.IndexOf(Ends, line[5..]) >= 0;

    private static bool IsPlain(string line) => !line.EndsWith(':') && line != "exit";
}
