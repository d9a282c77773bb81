using Kptr.Isa;

namespace Kptr.Verifier.Cfg;

/// <summary>The instructions of each function in post-order: behind all that they lead to, but for loops.</summary>
/// <remarks>Instructions that nothing reaches are left out. Kernel: <c>bpf_compute_postorder</c> (7.2).</remarks>
internal sealed class PostOrder
{
    private readonly int[] _order;
    private readonly int[] _starts;

    /// <summary>Walks all functions.</summary>
    /// <param name="insns">The instructions.</param>
    /// <param name="subprogs">Their functions.</param>
    public PostOrder(BpfInsn[] insns, SubprogTable subprogs)
    {
        _starts = new int[subprogs.Count + 1];
        _order = new int[insns.Length];
        var (seen, left) = (new bool[insns.Length], new bool[insns.Length]);
        var path = new Stack<int>();
        Span<int> next = stackalloc int[Flow.SuccessorsMax];
        var count = 0;
        for (var i = 0; i < subprogs.Count; i++)
        {
            path.Push(subprogs[i].Start);
            seen[subprogs[i].Start] = true;
            while (path.TryPeek(out var at))
            {
                if (left[at])
                {
                    _order[count++] = path.Pop();
                    continue;
                }

                left[at] = true;
                foreach (var to in next[..Flow.Successors(insns, at, next)])
                {
                    if (!seen[to])
                    {
                        seen[to] = true;
                        path.Push(to);
                    }
                }
            }

            _starts[i + 1] = count;
        }
    }

    /// <summary>All of them, one function behind the other.</summary>
    public ReadOnlySpan<int> All => _order.AsSpan(0, _starts[^1]);

    /// <summary>Those of one function.</summary>
    public ReadOnlySpan<int> Of(int subprog) => _order.AsSpan(_starts[subprog].._starts[subprog + 1]);
}
