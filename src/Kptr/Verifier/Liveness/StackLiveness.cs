using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Cfg;

namespace Kptr.Verifier.Liveness;

/// <summary>Which parts of the stack anything may still read, found before any path is explored.</summary>
/// <remarks>
/// Each function is looked at for every call that hands it a pointer to a stack, down the chain of calls; one that gets
/// none, once. Kernel: <c>bpf_compute_subprog_arg_access</c> and what it calls (kernel/bpf/liveness.c, 7.2).
/// </remarks>
internal sealed class StackLiveness
{
    private const int PassesMax = 10_000;
    private readonly BpfInsn[] _insns;
    private readonly CodeMarks[] _marks;
    private readonly SubprogTable _subprogs;
    private readonly PostOrder _order;
    private readonly ConstantRegs _known;
    private readonly StackAccesses _accesses;
    private readonly Dictionary<(int Callsite, int Depth), FunctionUses> _uses = [];

    // The pass that last went over a function, and the slots of who called, by the call.
    private readonly PlaceFlow?[] _flows;
    private readonly Dictionary<int, FramePlace[]?> _stacksAtCalls = [];
    private readonly int[] _callsites = new int[Limits.MaxCallFrames];
    private int _passes;

    /// <summary>Looks at a whole program.</summary>
    /// <param name="insns">Its instructions.</param>
    /// <param name="marks">What the walk over them says.</param>
    /// <param name="subprogs">Its functions.</param>
    /// <param name="order">Its post-order.</param>
    /// <param name="calleesFirst">Its functions, callees and callbacks before who names them.</param>
    /// <param name="known">Its constants.</param>
    /// <param name="calls">What is known of its calls.</param>
    public StackLiveness(BpfInsn[] insns, CodeMarks[] marks, SubprogTable subprogs, PostOrder order,
        IReadOnlyList<int> calleesFirst, ConstantRegs known, ICallUses calls)
    {
        (_insns, _marks, _subprogs, _order, _known) = (insns, marks, subprogs, order, known);
        _accesses = new(insns, known, calls);
        _flows = new PlaceFlow?[subprogs.Count];
        foreach (var subprog in calleesFirst.Reverse())
        {
            // A function that only others of the program call, and that was looked at for a call, needs no more.
            if (_flows[subprog] is null || subprogs[subprog].IsGlobal)
            {
                Look(UsesOf(subprogs[subprog].Start, 0, subprog), args: null);
            }
        }

        Array.Clear(_flows);
        _stacksAtCalls.Clear();
    }

    /// <summary>What was found of a function called at a place, in a depth; null where nothing was.</summary>
    public FunctionUses? Find(int callsite, int depth) => _uses.GetValueOrDefault((callsite, depth));

    /// <summary>Whether a call runs a callback, once or more, before it returns.</summary>
    public bool CallsCallback(int insnIdx) => (_marks[insnIdx] & CodeMarks.CallsCallback) != 0;

    private FunctionUses UsesOf(int callsite, int depth, int subprog)
    {
        if (!_uses.TryGetValue((callsite, depth), out var uses))
        {
            uses = new(callsite, depth, subprog, _subprogs[subprog]);
            _uses.Add((callsite, depth), uses);
        }

        return uses;
    }

    private void Look(FunctionUses uses, FramePlace[]? args)
    {
        if (++_passes > PassesMax)
        {
            Refusal.At(uses.Start, DiagCode.ComplexityExceeded,
                $"liveness analysis exceeded complexity limit ({_passes} calls)", Errno.E2BIG);
        }

        var now = uses.IsDone ? uses.Again() : uses;
        var order = _order.Of(uses.Subprog);
        _flows[uses.Subprog] = null;
        var flow = new PlaceFlow(
            _insns, _subprogs[uses.Subprog], order, uses.Depth, args, f => _stacksAtCalls[_callsites[f]]);
        for (var p = order.Length - 1; p >= 0; p--)
        {
            var at = order[p];
            _accesses.Note(now, at, flow.Before(at));
            if (_insns[at].IsLocalCall || CallsCallback(at))
            {
                _stacksAtCalls[at] = flow.StackBefore(at);
            }
        }

        _flows[uses.Subprog] = flow;
        foreach (var at in order)
        {
            LookIntoCall(now, at);
        }

        if (now != uses)
        {
            uses.Merge(now);
        }

        uses.FindLive(_insns, order);
    }

    /// <summary>What a callee that gets pointers to stacks does to the frames above it, the call does.</summary>
    private void LookIntoCall(FunctionUses uses, int at)
    {
        if (!_insns[at].IsLocalCall && !CallsCallback(at))
        {
            return;
        }

        // A callback that takes the callback it is in once more may have put a new pass here.
        var regs = _flows[uses.Subprog]!.Before(at);
        var args = new FramePlace[6];
        int callee;
        if (_insns[at].IsLocalCall)
        {
            callee = _subprogs.Find(at + _insns[at].Imm + 1);
            regs[..6].CopyTo(args);
            args[0] = FramePlace.None;
        }
        else if (CallbackArgs.Of(_insns[at]) is { } callback)
        {
            var context = regs[callback.ContextReg];
            args[callback.ParamReg] = context;
            if (!_known.TryFunction(at, callback.FuncReg, out callee))
            {
                // One call runs different callbacks: what they do to the stack is anybody's guess.
                uses.ReadAll(context.IsStack ? -1 : 0, at);
                return;
            }
        }
        else
        {
            return;
        }

        if (callee < 0 || Array.TrueForAll(args, a => !a.IsStack))
        {
            return;
        }

        if (uses.Depth == Limits.MaxCallFrames - 1)
        {
            Refusal.At(at, DiagCode.CallDepthExceeded, $"the call stack of {Limits.MaxCallFrames} frames is too deep");
        }

        var calleeUses = UsesOf(at, uses.Depth + 1, callee);
        _callsites[uses.Depth] = at;
        Look(calleeUses, args);
        for (var f = 0; f < calleeUses.Depth; f++)
        {
            if (calleeUses.LiveBefore(f, calleeUses.Start) is { IsEmpty: false } live)
            {
                uses.Read(f, at, live);
            }
        }
    }

    /// <summary>How helpers hand a context to the callbacks that they run.</summary>
    /// <param name="FuncReg">The register with the callback.</param>
    /// <param name="ContextReg">The register with the context.</param>
    /// <param name="ParamReg">The register in which the callback gets it.</param>
    private readonly record struct CallbackArgs(int FuncReg, int ContextReg, int ParamReg)
    {
        public static CallbackArgs? Of(in BpfInsn call) => !call.IsHelperCall ? null : (HelperId)call.Imm switch
        {
            HelperId.Loop or HelperId.UserRingbufDrain => new(2, 3, 2),
            HelperId.ForEachMapElem => new(2, 3, 4),
            HelperId.FindVma => new(3, 4, 3),
            _ => null,
        };
    }
}
