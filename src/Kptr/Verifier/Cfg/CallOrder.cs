using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Verifier.Cfg;

/// <summary>A program's functions in an order in which callees and callbacks stand before their callers.</summary>
/// <remarks>
/// Functions are visited depth first, the calls of each in its instructions' post-order. Kernel:
/// <c>sort_subprogs_topo</c> (7.2).
/// </remarks>
/// <param name="insns">The instructions.</param>
/// <param name="subprogs">Their functions.</param>
/// <param name="code">Their order inside each function.</param>
internal sealed class CallOrder(BpfInsn[] insns, SubprogTable subprogs, PostOrder code)
{
    private readonly bool[] _open = new bool[subprogs.Count];
    private readonly bool[] _done = new bool[subprogs.Count];
    private readonly List<int> _order = [];

    /// <summary>Finds the order, or refuses a function that calls itself, directly or through others.</summary>
    public IReadOnlyList<int> Sort()
    {
        for (var i = 0; i < subprogs.Count; i++)
        {
            if (!_done[i])
            {
                VisitFrom(i);
            }
        }

        return _order;
    }

    private void VisitFrom(int root)
    {
        var path = new Stack<(int Subprog, List<int> Calls, int Next)>();
        void Enter(int subprog)
        {
            _open[subprog] = true;
            path.Push((subprog, CallsOf(subprog), 0));
        }

        Enter(root);
        while (path.TryPop(out var at))
        {
            var callee = -1;
            for (; at.Next < at.Calls.Count && callee < 0; at.Next++)
            {
                callee = Unvisited(at.Subprog, at.Calls[at.Next]);
            }

            if (callee >= 0)
            {
                path.Push(at);
                Enter(callee);
                continue;
            }

            (_open[at.Subprog], _done[at.Subprog]) = (false, true);
            _order.Add(at.Subprog);
        }
    }

    /// <summary>
    /// The function called, or -1 where it was visited. A callback that is registered again is no recursion.
    /// </summary>
    private int Unvisited(int caller, int call)
    {
        var callee = subprogs.Find(call + insns[call].Imm + 1);
        if (_done[callee])
        {
            return -1;
        }

        if (!_open[callee])
        {
            return callee;
        }

        if (insns[call].IsLocalCall)
        {
            Refusal.At(call, DiagCode.CallDepthExceeded,
                $"recursive call from {NameOf(caller)}() to {NameOf(callee)}()");
        }

        return -1;
    }

    /// <summary>A function's name as this part of the kernel prints it.</summary>
    public string NameOf(int subprog) => subprogs[subprog].Name;

    /// <summary>Instructions of a function that call or name another, in post-order.</summary>
    private List<int> CallsOf(int subprog)
    {
        var calls = new List<int>();
        foreach (var at in code.Of(subprog))
        {
            if (insns[at].IsLocalCall || insns[at].IsFuncAddress)
            {
                calls.Add(at);
            }
        }

        return calls;
    }
}
