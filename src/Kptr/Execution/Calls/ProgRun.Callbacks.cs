using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr.Execution;

// What kfunc and helper bodies ask of the run.
internal sealed unsafe partial class ProgRun : ICallbackRunner
{
    ulong ICallbackRunner.Call(ulong func, ulong r1, ulong r2, ulong r3, ulong r4, ulong r5)
    {
        var slot = SlotOf(func);
        if (_m->Depth >= Machine.FramesMax - 1)
        {
            throw new ProgramFaultException(DiagCode.RunCallTooDeep, $"more than {Machine.FramesMax} frames are open");
        }

        var (idx, baseDepth) = (_m->StopIdx, _m->BaseDepth);
        var saved = stackalloc ulong[6];
        new ReadOnlySpan<ulong>(_m->Regs, 6).CopyTo(new(saved, 6));
        Handlers.PushFrame(_m, null, idx);
        _m->BaseDepth = _m->Depth;
        var r = _m->Regs;
        (r[1], r[2], r[3], r[4], r[5]) = (r1, r2, r3, r4, r5);
        ForgetRegions();
        if (!RunAt(slot) || _unwound is not null)
        {
            throw new RunAbortedException();
        }

        var r0 = _m->Regs[0];
        Handlers.PopFrame(_m);
        _m->BaseDepth = baseDepth;
        _m->StopIdx = idx;
        new ReadOnlySpan<ulong>(saved, 6).CopyTo(new(_m->Regs, 6));
        _ctx!.InsnIdx = idx;
        return r0;
    }

    Func<ulong, ulong, ulong, ulong> ICallbackRunner.Defer(ulong func)
    {
        var slot = SlotOf(func);
        var prog = _prog;
        var outer = _ctx!;
        outer.Keep();
        var core = outer.Core;
        var options = ExecOptions.Default with { Engine = _options.Engine, Observer = _options.Observer };
        return (r1, r2, r3) =>
        {
            var ctx = outer.Again();
            var run = Rent(core.Heap, ctx.Thread);
            var result = run.StartAt(prog, ctx, options, slot, r1, r2, r3);
            run.Return(ctx.Thread);
            ctx.End();
            if (result.Fault is { } fault)
            {
                core.Report(new KernelFault(fault.Code, fault.Message) { Site = ctx.Site });
            }

            return result.R0;
        };
    }

    void ICallbackRunner.TailCall(object target)
    {
        if (_tailCalls < TailCallsMax && _prog.Links?.TailTarget(target) is { } prog)
        {
            _tailCalls++;
            _tail = prog;
        }
    }

    bool ICallbackRunner.IsAccessible(ulong address, int sizeBytes, bool isWrite) =>
        sizeBytes == 0 || (sizeBytes > 0 && TryFindRegion(address, (ulong)sizeBytes, isWrite, out _, out _));

    void ICallbackRunner.AddRegion(ulong address, int sizeBytes, bool isWritable) =>
        _memory.Add(new Region(address, (ulong)sizeBytes, isWritable));

    void ICallbackRunner.MoveRegion(ulong oldAddress, ulong address, int sizeBytes, bool isWritable)
    {
        _memory.Remove(oldAddress);
        _memory.Add(new Region(address, (ulong)sizeBytes, isWritable));
    }

    string? ICallbackRunner.Locate(ulong value)
    {
        if (_m == null)
        {
            return null;
        }

        // What survives calls first: that is where a reference lives. The rest may be what an earlier call left behind.
        var top = _m->StackLow + Machine.StackBytes;
        return LocateIn([6, 7, 8, 9], value) ?? LocateInStack(top, value) ?? LocateIn([0, 1, 2, 3, 4, 5], value)
            ?? LocateInCallers(value);
    }

    private string? LocateIn(ReadOnlySpan<int> regs, ulong value)
    {
        foreach (var reg in regs)
        {
            if (_m->Regs[reg] == value)
            {
                return $"r{reg}";
            }
        }

        return null;
    }

    private static string? LocateInStack(ulong top, ulong value)
    {
        for (var off = sizeof(ulong); off <= Machine.StackBytes; off += sizeof(ulong))
        {
            if (*(ulong*)(top - (ulong)off) == value)
            {
                return $"fp-{off}";
            }
        }

        return null;
    }

    private string? LocateInCallers(ulong value)
    {
        var top = _m->StackLow + Machine.StackBytes;
        for (var frame = _m->Depth - 1; frame >= 0; frame--)
        {
            for (var i = 0; i < 4; i++)
            {
                if (_m->Frames[frame].Saved[i] == value)
                {
                    return $"r{6 + i} of frame {frame}";
                }
            }

            top += Machine.StackBytes;
            if (LocateInStack(top, value) is { } place)
            {
                return $"{place} of frame {frame}";
            }
        }

        return null;
    }

    private int SlotOf(ulong func)
    {
        var slot = _code.FuncSlot(func);
        return slot >= 0 ? slot : throw new ProgramFaultException(
            DiagCode.RunNoSuchCall, $"{func:x} is no function of the program");
    }
}
