using Kptr.Isa;
using Kptr.Verifier.Cfg;

namespace Kptr.Verifier.Liveness;

/// <summary>What one instruction does to the stack of one frame.</summary>
internal record struct SlotUse
{
    /// <summary>What it may read.</summary>
    public SlotSet Reads;

    /// <summary>What it writes for certain.</summary>
    public SlotSet Writes;

    /// <summary>What it or an instruction after it in its function may read before it is written.</summary>
    public SlotSet Live;
}

/// <summary>
/// What each instruction of a function does to the stacks of its frame and of those that called it, when it is called
/// at one place in one depth.
/// </summary>
/// <remarks>Kernel: <c>struct func_instance</c> (7.2).</remarks>
/// <param name="callsite">The call; the function's first instruction where nobody called it.</param>
/// <param name="depth">How many frames are above its own.</param>
/// <param name="subprog">The function.</param>
/// <param name="info">Its bounds.</param>
internal sealed class FunctionUses(int callsite, int depth, int subprog, SubprogInfo info)
{
    private readonly SlotUse[]?[] _frames = new SlotUse[depth + 1][];

    public int Callsite => callsite;

    public int Depth => depth;

    public int Subprog => subprog;

    public int Start => info.Start;

    /// <summary>Whether what is live was found: what is found of another pass must be merged.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Notes that an instruction may read slots of a frame.</summary>
    public void Read(int frame, int insnIdx, SlotSet slots) => FrameAt(frame, insnIdx).Reads |= slots;

    /// <summary>Notes that an instruction may read anything in some frames, a bit each.</summary>
    public void ReadAll(int frames, int insnIdx)
    {
        for (var f = 0; f <= depth; f++)
        {
            if ((frames & (1 << f)) != 0)
            {
                Read(f, insnIdx, SlotSet.All);
            }
        }
    }

    /// <summary>Notes that an instruction writes slots of a frame.</summary>
    public void Write(int frame, int insnIdx, SlotSet slots) => FrameAt(frame, insnIdx).Writes |= slots;

    /// <summary>What is live in a frame before an instruction.</summary>
    public SlotSet LiveBefore(int frame, int insnIdx) =>
        _frames[frame] is { } uses ? uses[insnIdx - info.Start].Live : default;

    /// <summary>A fresh one for another pass over the same function.</summary>
    public FunctionUses Again() => new(callsite, depth, subprog, info);

    /// <summary>Takes over what another pass found: all that either reads, and what both write.</summary>
    public void Merge(FunctionUses other)
    {
        for (var f = 0; f <= depth; f++)
        {
            var (mine, others) = (_frames[f], other._frames[f]);
            for (var i = 0; (mine ?? others) is { } any && i < any.Length; i++)
            {
                any[i].Reads = (mine?[i].Reads ?? default) | (others?[i].Reads ?? default);
                any[i].Writes = (mine?[i].Writes ?? default) & (others?[i].Writes ?? default);
            }

            _frames[f] = mine ?? others;
        }
    }

    /// <summary>Finds what is live, backwards until nothing changes.</summary>
    /// <param name="insns">The program.</param>
    /// <param name="order">The function's instructions in post-order.</param>
    public void FindLive(BpfInsn[] insns, ReadOnlySpan<int> order)
    {
        IsDone = true;
        Span<int> next = stackalloc int[Flow.SuccessorsMax];
        foreach (var uses in _frames)
        {
            for (var changed = uses is not null; changed;)
            {
                changed = false;
                foreach (var at in order)
                {
                    changed |= FindLive(uses!, at, next[..Flow.Successors(insns, at, next)]);
                }
            }
        }
    }

    private bool FindLive(SlotUse[] uses, int at, ReadOnlySpan<int> next)
    {
        if (next.IsEmpty)
        {
            return false;
        }

        var after = default(SlotSet);
        foreach (var to in next)
        {
            after |= uses[to - info.Start].Live;
        }

        ref var use = ref uses[at - info.Start];
        var live = after.Without(use.Writes) | use.Reads;
        var changed = live != use.Live;
        use.Live = live;
        return changed;
    }

    private ref SlotUse FrameAt(int frame, int insnIdx)
    {
        var uses = _frames[frame] ??= new SlotUse[info.End - info.Start];
        return ref uses[insnIdx - info.Start];
    }
}
