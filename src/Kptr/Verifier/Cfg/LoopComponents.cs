using Kptr.Isa;

namespace Kptr.Verifier.Cfg;

/// <summary>The loops of a program: instructions that reach one another inside one function.</summary>
/// <remarks>
/// Strongly connected components by Tarjan's algorithm, without recursion. A component of one instruction counts only
/// where it jumps to itself or runs a callback. Kernel: <c>bpf_compute_scc</c> (7.2).
/// </remarks>
internal sealed class LoopComponents
{
    private const int NotOnStack = int.MaxValue;
    private readonly BpfInsn[] _insns;
    private readonly CodeMarks[] _marks;
    private readonly int[] _of;
    private readonly int[] _order;
    private readonly int[] _lowest;
    private readonly Stack<int> _open = new();
    private int _nextOrder = 1;

    /// <summary>Finds them.</summary>
    /// <param name="insns">The instructions.</param>
    /// <param name="marks">What <see cref="CfgWalk"/> says of them.</param>
    public LoopComponents(BpfInsn[] insns, CodeMarks[] marks)
    {
        (_insns, _marks) = (insns, marks);
        _of = new int[insns.Length];
        _order = new int[insns.Length];
        _lowest = new int[insns.Length];
        for (var i = 0; i < insns.Length; i++)
        {
            if (_order[i] == 0)
            {
                WalkFrom(i);
            }
        }
    }

    /// <summary>How many numbers there are; 0 stands for no loop.</summary>
    public int Count { get; private set; } = 1;

    /// <summary>The loop an instruction is in, or 0.</summary>
    public int Of(int insnIdx) => _of[insnIdx];

    private void WalkFrom(int start)
    {
        var path = new Stack<int>();
        path.Push(start);
        Span<int> next = stackalloc int[Flow.SuccessorsMax];
        while (path.TryPeek(out var at))
        {
            if (_order[at] == 0)
            {
                _order[at] = _lowest[at] = _nextOrder++;
                _open.Push(at);
            }

            var count = Flow.Successors(_insns, at, next);
            var fresh = -1;
            for (var i = 0; i < count && fresh < 0; i++)
            {
                if (_order[next[i]] == 0)
                {
                    fresh = next[i];
                }
                else
                {
                    _lowest[at] = Math.Min(_lowest[at], _lowest[next[i]]);
                }
            }

            if (fresh >= 0)
            {
                path.Push(fresh);
                continue;
            }

            path.Pop();
            if (_lowest[at] == _order[at])
            {
                CloseComponent(at, next[..count].Contains(at));
            }
        }
    }

    private void CloseComponent(int root, bool jumpsToItself)
    {
        var isLoop = _open.Peek() != root || jumpsToItself || (_marks[root] & CodeMarks.CallsCallback) != 0;
        int member;
        do
        {
            member = _open.Pop();
            _lowest[member] = NotOnStack;
            _of[member] = isLoop ? Count : 0;
        }
        while (member != root);

        Count += isLoop ? 1 : 0;
    }
}
