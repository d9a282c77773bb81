using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.Cfg;
using Kptr.Verifier.Context;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>The order of the whole verification.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Judges the program. Called once.</summary>
    public VerifyResult Verify()
    {
        var started = Options.Time.GetTimestamp();
        try
        {
            RunAll();
            return Accepted(Options.Time.GetElapsedTime(started));
        }
        catch (RejectException reject)
        {
            return Rejected(reject, Options.Time.GetElapsedTime(started));
        }
    }

    private void RunAll()
    {
        CheckProgShape();
        var funcInfos = new FuncInfoCheck(Prog, Insns);
        funcInfos.CheckEarly();
        Subprogs = new SubprogReader(Prog, Insns, _declTags, calls: _callees).Read(BpfCapable);
        TrackPrecision();
        InsnIdx = 0;
        funcInfos.Check(Subprogs);
        ResolveLdImm64();
        _marks = new CfgWalk(Insns, Subprogs, loopsAllowed: BpfCapable, calls: _callees).Run();
        AttachTo(new AttachRules(Prog, Kernel, Subprogs.Any(s => s.HasTailCall)).Resolve());
        LookAtCode();
        _fastcalls = new FastcallSpills(Insns, Subprogs);
        if (Kernel.Profile.HasFastcall)
        {
            _fastcalls.Mark(_marks, calls: _callees);
        }

        _inExplore = true;
        if (Kernel.Profile.ChecksGlobalsLazily)
        {
            ExploreFrom(0);
            ExploreGlobals();
        }
        else
        {
            ExploreAllGlobals();
            ExploreFrom(0);
        }

        _inExplore = false;
        _fastcalls.DropStack();
        var depth = new StackDepth(Insns, Subprogs, Kernel.Profile, calls: _callees, InsnIdx);
        depth.Check(HasPrivateStacks);
        _deepestStack = depth.Deepest;
        CheckUnprivilegedTailCalls();
        CheckDeadCallbacks();
        CheckExceptionCallbackStays();
    }

    private bool _inExplore;
    private int _deepestStack;

    /// <summary>Whether a program may interrupt itself, so that its large functions get stacks of their own.</summary>
    /// <remarks>Kernel: <c>bpf_enable_priv_stack</c> (7.2).</remarks>
    private bool HasPrivateStacks => Kernel.Profile.HasPrivateStacks && Prog.Type switch
    {
        ProgType.Kprobe or ProgType.Tracepoint or ProgType.PerfEvent or ProgType.RawTracepoint => true,
        ProgType.Tracing => Prog.ExpectedAttachType != AttachType.TraceIter,
        ProgType.StructOps => Prog.AttachBtf is { } type
            && Kernel.Types[type] is var st && (uint)Prog.StructOpsMember < (uint)st.VLen
            && Kernel.Profile.MembersOnPrivateStacks.Contains($"{st.Name}.{st.Member(Prog.StructOpsMember).Name}"),
        _ => false,
    };

    /// <summary>What must hold before anything is looked at.</summary>
    private void CheckProgShape()
    {
        if (Insns.Length == 0 || Insns.Length > Limits.ComplexityLimitInsns)
        {
            Reject(DiagCode.ComplexityExceeded, $"program has {Insns.Length} instructions", errno: Errno.E2BIG);
        }

        if (!Options.Privileged)
        {
            CheckUnprivilegedProg();
        }

        if (Prog.Type == ProgType.Unspec)
        {
            Reject(DiagCode.AttachTargetInvalid, "the program has no type");
        }

        if (Prog.Type == ProgType.LircMode2 && Kernel.Kconfig.GetValueOrDefault("CONFIG_BPF_LIRC_MODE2") != "y")
        {
            Reject(DiagCode.AttachTargetInvalid, "this kernel is built without infrared programs");
        }

        if (Prog.Type > Kernel.Profile.LastProgType)
        {
            Reject(DiagCode.AttachTargetInvalid, $"{Kernel.Profile} has no programs of type {Prog.Type}");
        }

        if (!Kernel.Profile.HasUnixSockAddr && Prog.ExpectedAttachType is (AttachType.CgroupUnixConnect
            or AttachType.CgroupUnixSendmsg or AttachType.CgroupUnixRecvmsg or AttachType.CgroupUnixGetpeername
            or AttachType.CgroupUnixGetsockname))
        {
            Reject(DiagCode.AttachTargetInvalid, $"{Kernel.Profile} has no hook {Prog.ExpectedAttachType}");
        }

        if (!Kernel.Profile.HasSessions && Prog.Type is ProgType.Kprobe or ProgType.Tracing
            && Prog.ExpectedAttachType is >= AttachType.TraceUprobeSession and <= AttachType.TraceFsessionMulti)
        {
            Reject(DiagCode.AttachTargetInvalid, $"{Kernel.Profile} has no hook {Prog.ExpectedAttachType}");
        }

        if (Prog.Type == ProgType.Ext)
        {
            Unsupported(DiagCode.UnsupportedProgType, "programs that replace other programs are not modelled");
        }
    }

    /// <summary>Explores one function as if called with anything its BTF allows (<c>do_check_common</c>).</summary>
    private void ExploreFrom(int subprog)
    {
        var sub = Subprogs[subprog];
        InsnIdx = sub.Start;
        ResetState(Cur, subprog);
        Cur.FirstInsnIdx = sub.Start;
        Cur.LastInsnIdx = -1;
        if (subprog != 0)
        {
            if (Log.IsOn)
            {
                Log.Line($"Validating {sub.Name}() func#{subprog}...");
            }

            SetupGlobalArgs(sub);
        }
        else
        {
            Reg(1).MarkKnownZero(RegType.PtrToCtx);
            MarkMainReliability(sub);
            AcquireArgRefs();
        }

        var before = _insnsProcessed;
        _explored.Begin(Insns.Length);
        Explore();
        _explored.Clear();
        sub.InsnsProcessed += _insnsProcessed - before;
        Log.Rewind(0);
    }

    /// <summary>
    /// Global functions are checked once each, when something called them (<c>do_check_subprogs</c>).
    /// </summary>
    private void ExploreGlobals()
    {
        if (Prog.FuncInfos.IsEmpty)
        {
            return;
        }

        if (Subprogs.ExceptionCallback != 0)
        {
            Subprogs[Subprogs.ExceptionCallback].Called = true;
        }

        for (var again = true; again;)
        {
            again = false;
            for (var i = 1; i < Subprogs.Count; i++)
            {
                var sub = Subprogs[i];
                if (sub.IsGlobal && sub.Called && !sub.Verified)
                {
                    ExploreFrom(i);
                    if (Log.IsOn)
                    {
                        Log.Line($"Func#{i} ('{sub.Name}') is safe for any args that match its prototype");
                    }

                    sub.Verified = again = true;
                }
            }
        }
    }

    private void ExploreAllGlobals()
    {
        for (var i = 1; i < Subprogs.Count && !Prog.FuncInfos.IsEmpty; i++)
        {
            if (Subprogs[i].IsGlobal)
            {
                ExploreFrom(i);
            }
        }
    }

    private VerifyResult Accepted(TimeSpan time) => new(Verdict.Accept)
    {
        Warnings = [.. _warnings.Values],
        InsnsProcessed = _insnsProcessed,
        States = _explored.Total,
        PeakStates = _explored.Peak,
        Time = time,
        Log = FinishLog(accepted: true),
        Program = new VerifiedProgram(Prog, Kernel, Options)
        {
            SubprogStarts = [.. Subprogs.Select(s => s.Start)],
            StackDepthBytes = [.. Subprogs.Select(s => s.StackDepth)],
            Reached = [.. Aux.Select(a => a.Seen)],
            Accesses = [.. Aux.Select(a => a.PtrType.Base())],
            NeedsZext = [.. Aux.Select(a => a.NeedsZext)],
            ProbedLoads = [.. Aux.Select(a => a.Probed)],
            MaxRdonlyAccess = _maxRdonlyAccess,
            MaxRdwrAccess = _maxRdwrAccess,
        },
    };

    private VerifyResult Rejected(RejectException reject, TimeSpan time)
    {
        var diagnostic = reject.Diagnostic;
        diagnostic = diagnostic with { Source = diagnostic.Source ?? SourceAt(diagnostic.InsnIdx ?? 0) };
        var unsupported = (int)diagnostic.Code >= FirstUnsupportedCode;
        Log.Line(diagnostic.Message);
        VerifyStory? story = null;
        if (_inExplore)
        {
            var teller = new StoryTeller(this);
            story = teller.Tell(diagnostic);
            if (teller.ReleasedAt >= 0 && !unsupported)
            {
                diagnostic = diagnostic with { Code = DiagCode.UsedAfterRelease, AcquiredAtInsn = teller.AcquiredAt };
            }
        }

        return new(unsupported ? Verdict.Unsupported : Verdict.Reject)
        {
            Diagnostics = [diagnostic with { Suggestion = story?.Suggestion }],
            Warnings = [.. _warnings.Values],
            Message = diagnostic.Message,
            Errno = reject.Errno,
            Story = story,
            InsnsProcessed = _insnsProcessed,
            States = _explored.Total,
            PeakStates = _explored.Peak,
            Time = time,
            Log = FinishLog(accepted: false),
        };
    }

    /// <summary>Judges the program and says which accesses need no check. Called once.</summary>
    internal AccessProof Prove() => Verify() is { IsAccepted: false } refused
        ? AccessProof.None(refused.Diagnostics[^1])
        : new(_proven, [.. Enumerable.Range(0, Insns.Length).Select(IsRoundEnd)]);

    private const int FirstUnsupportedCode = 9000;

    private string FinishLog(bool accepted)
    {
        if (Log.HasStats)
        {
            // Code that nothing reaches is taken out once all is accepted, and whole functions with it.
            var left = Subprogs.Where(s => !accepted || IsReached(s)).ToList();
            var hasMax = Kernel.Profile.LogsCallDepth;
            Log.Line("stack depth " + string.Join('+', left.Select(s => s.StackDepth + (accepted ? Extra(s) : 0)))
                + (hasMax ? $" max {_deepestStack}" : ""));
            if (hasMax)
            {
                var counts = left.Where(s => s == Subprogs[0] || s.IsGlobal).Select(s => s.InsnsProcessed);
                Log.Line("insns processed " + string.Join('+', counts));
            }
        }

        return Log.Finish(
            $"processed {_insnsProcessed} insns (limit {Limits.ComplexityLimitInsns}) max_states_per_insn "
                + $"{_explored.MaxPerInsn} "
            + $"total_states {_explored.Total} peak_states {_explored.Peak} mark_read 0");
    }

    private bool IsReached(SubprogInfo sub)
    {
        for (var i = sub.Start; i < sub.End; i++)
        {
            if (Aux[i].Seen)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Stack that Linux adds for what it puts in place: a loop's registers, and what counts rounds.</summary>
    /// <remarks>Kernel: <c>bpf_optimize_bpf_loop</c>, <c>bpf_do_misc_fixups</c> (6.12, 7.2).</remarks>
    private int Extra(SubprogInfo sub)
    {
        const int LoopRegisters = 3 * 8;
        var (inlines, counts) = (false, false);
        for (var i = sub.Start; i < sub.End; i++)
        {
            inlines |= Aux[i].Loop == LoopInline.Fits;
            counts |= Aux[i].Seen && Insns[i].IsMayGoto;
        }

        return (inlines ? LoopRegisters + (-sub.StackDepth & 7) : 0)
            + (counts ? Kernel.Profile.MayGotoStackBytes : 0);
    }

    /// <summary>Loads through these pointers may fault and then read zero.</summary>
    private static bool IsProbed(RegType type) =>
        (type.Base() == RegType.PtrToMem && type.Has(RegType.PtrUntrusted))
        || (type.Base() == RegType.PtrToBtfId && (type.Has(RegType.PtrUntrusted)
            || (type.Flags() & (RegType.PtrTrusted | RegType.MemRcu | RegType.MemAlloc)) == 0));
}
