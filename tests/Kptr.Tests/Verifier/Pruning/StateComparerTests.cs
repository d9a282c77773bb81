using Kptr.Verifier.Pruning;
using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Pruning;

/// <summary>When an old state that turned out safe proves another one safe: one difference at a time.</summary>
public class StateComparerTests
{
    private static readonly object SomeLock = new();

    private delegate void Change(VerifierState state);

    private static readonly Dictionary<string, Change> Surroundings = new()
    {
        ["lock"] = s => s.Lock = Held(SomeLock, 3),
        ["another's lock"] = s => s.Lock = Held(new object(), 3),
        ["lock without id"] = s => s.Lock = Held(SomeLock, 0),
        ["lock of another kind"] = s => s.Lock = new(LockKind.Resilient, SomeLock, 3, null),
        ["two locks"] = s => s.Lock = new(LockKind.Spin, SomeLock, 4, Held(SomeLock, 3)),
        ["interrupts off"] = s => s.IrqsOff = new(3, 1, null),
        ["interrupts off twice"] = s => s.IrqsOff = new(4, 2, new(3, 1, null)),
        ["rcu"] = s => s.RcuDepth = 1,
        ["rcu twice"] = s => s.RcuDepth = 2,
        ["preempt"] = s => s.ActivePreemptLock = 1,
        ["sleepable"] = s => s.InSleepable = true,
        ["call site"] = s => s.Cur.Callsite = 7,
        ["reference"] = s => (s.Cur.Refs, s.Cur.RefCount) = ([new RefState(5, 1, 0)], 1),
    };

    public static TheoryData<string> SurroundingNames => [.. Surroundings.Keys];

    [Theory, MemberData(nameof(SurroundingNames))]
    public void State_InOtherSurroundings_IsAnother(string name)
    {
        foreach (var exact in Enum.GetValues<ExactLevel>())
        {
            AreEqual(Make(), Make(Surroundings[name]), exact).Should().BeFalse();
            AreEqual(Make(Surroundings[name]), Make(), exact).Should().BeFalse();
            AreEqual(Make(), Make(), exact).Should().BeTrue();
        }
    }

    [Fact]
    public void State_InTheSameSurroundings_IsEqualButForIds()
    {
        foreach (var (name, change) in Surroundings.Where(s => s.Key != "another's lock"))
        {
            AreEqual(Make(change), Make(change), ExactLevel.Exact).Should().BeTrue(name);
        }

        AreEqual(Make(Surroundings["lock"]), Make(s => s.Lock = Held(SomeLock, 9)), ExactLevel.Exact)
            .Should().BeTrue();
    }

    [Fact]
    public void Surroundings_AreEachAnother()
    {
        foreach (var (one, _) in Surroundings)
        {
            foreach (var (other, _) in Surroundings.Where(s => s.Key != one))
            {
                AreEqual(Make(Surroundings[one]), Make(Surroundings[other]), ExactLevel.NotExact)
                    .Should().BeFalse($"{one} is not {other}");
            }
        }
    }

    [Fact]
    public void SavedIrqFlags_AreComparedByWhoSavedThemAndTheirIds()
    {
        Change Saved(int slotId, int id, bool ofLock) => s =>
        {
            s.IrqsOff = new(id, 1, null);
            s.Cur.GrowStack(1);
            ref var slot = ref s.Cur.Stack[0];
            slot.SetAll(SlotKind.IrqFlag);
            slot.Spilled.MarkKnownZero(RegType.PtrToStack);
            (slot.Spilled.Id, slot.Spilled.IrqOfLock) = (slotId, ofLock);
            s.Cur.Live.ReadSlots = 1;
        };
        foreach (var exact in Enum.GetValues<ExactLevel>())
        {
            AreEqual(Make(Saved(3, 3, false)), Make(Saved(8, 8, false)), exact).Should().BeTrue();
            AreEqual(Make(Saved(3, 3, false)), Make(Saved(9, 8, false)), exact).Should().BeFalse();
            AreEqual(Make(Saved(3, 3, false)), Make(Saved(8, 8, true)), exact).Should().BeFalse();
            AreEqual(Make(Saved(3, 3, false)), Make(s => s.IrqsOff = new(8, 1, null)), exact).Should().BeFalse();
        }
    }

    private static HeldLock Held(object owner, int id) => new(LockKind.Spin, owner, id, null);

    [Fact]
    public void References_AreComparedByTheIdsTheirRegistersHave()
    {
        Change Holds(int regId, int refId) => s =>
        {
            (s.Cur.Refs, s.Cur.RefCount) = ([new RefState(refId, 1, 0)], 1);
            s.Cur.Regs[1] = Pointer(RegType.PtrToBtfId, refObjId: regId);
        };

        AreEqual(Make(Holds(5, 5)), Make(Holds(9, 9))).Should().BeTrue();
        AreEqual(Make(Holds(5, 5)), Make(Holds(9, 8))).Should().BeFalse(
            "the register points to what is not the reference's");
    }

    [Fact]
    public void Lock_IsComparedByTheIdThatItsRegisterHas()
    {
        Change Holds(int regId, int lockId) => s =>
        {
            s.Lock = Held(SomeLock, lockId);
            s.Cur.Regs[1] = Pointer(RegType.PtrToMapValue);
            s.Cur.Regs[1].Id = regId;
        };

        AreEqual(Make(Holds(5, 5)), Make(Holds(9, 9))).Should().BeTrue();
        AreEqual(Make(Holds(5, 5)), Make(Holds(9, 8))).Should().BeFalse("another value's lock is held");
    }

    [Fact]
    public void SpeculativePath_IsSafeOnlyWhereAnotherOneIs()
    {
        AreEqual(Make(s => s.Speculative = true), Make()).Should().BeFalse(
            "what was explored speculatively was explored less");
        AreEqual(Make(), Make(s => s.Speculative = true)).Should().BeTrue();
        AreEqual(Make(s => s.Speculative = true), Make(s => s.Speculative = true)).Should().BeTrue();
    }

    [Fact]
    public void Callback_SimulatedMoreOften_IsNotProvenByLess()
    {
        AreEqual(Make(s => s.Cur.CallbackDepth = 2), Make(s => s.Cur.CallbackDepth = 1)).Should().BeFalse();
        AreEqual(Make(s => s.Cur.CallbackDepth = 1), Make(s => s.Cur.CallbackDepth = 2)).Should().BeTrue();
    }

    [Fact]
    public void Register_NobodyReads_DoesNotMatterUnlessExact()
    {
        Change Holds(ulong value, LiveMarks live) => s =>
        {
            s.Cur.Regs[1] = Scalar(ScalarRange.Const(value), precise: true);
            s.Cur.Live = live;
        };
        LiveMarks none = default, written = new() { WrittenRegs = 2 }, read = new() { ReadRegs = 2 };

        AreEqual(Make(Holds(1, none)), Make(Holds(2, none))).Should().BeTrue();
        AreEqual(Make(Holds(1, written)), Make(Holds(2, none))).Should().BeTrue();
        AreEqual(Make(Holds(1, read)), Make(Holds(2, none))).Should().BeFalse();
        AreEqual(Make(Holds(1, none)), Make(Holds(2, none)), ExactLevel.Exact).Should().BeFalse();
        AreEqual(Make(Holds(1, none)), Make(Holds(2, none)), ExactLevel.RangeWithin).Should().BeFalse();
    }

    [Fact]
    public void Register_ThatWasNotInit_TakesAnything()
    {
        Change number = s => s.Cur.Regs[1] = Scalar(ScalarRange.Const(1));
        Change nothing = s => s.Cur.Live.ReadRegs = 2;

        AreEqual(Make(nothing), Make(number)).Should().BeTrue();
        AreEqual(Make(number), Make(nothing)).Should().BeFalse();
        AreEqual(Make(nothing), Make(number), ExactLevel.RangeWithin).Should().BeFalse();
        AreEqual(Make(nothing), Make(nothing), ExactLevel.RangeWithin).Should().BeTrue();
    }

    [Theory]
    [InlineData(false, nameof(ExactLevel.NotExact), true)]
    [InlineData(true, nameof(ExactLevel.NotExact), false)]
    [InlineData(false, nameof(ExactLevel.RangeWithin), false)]
    [InlineData(false, nameof(ExactLevel.Exact), false)]
    public void Scalar_ThatGrew_MattersWherePreciseOrExact(bool precise, string level, bool isSafe)
    {
        var exact = Enum.Parse<ExactLevel>(level);
        var (narrow, wide) = (Scalar(ScalarRange.Const(5), precise: precise),
            Scalar(ScalarRange.Unknown, precise: precise));

        AreEqual(Make(s => s.Cur.Regs[1] = narrow), Make(s => s.Cur.Regs[1] = wide), exact).Should().Be(isSafe);
        AreEqual(Make(s => s.Cur.Regs[1] = wide), Make(s => s.Cur.Regs[1] = narrow), exact).Should().Be(
            exact != ExactLevel.Exact);
        AreEqual(Make(s => s.Cur.Regs[1] = narrow), Make(s => s.Cur.Regs[1] = narrow), exact).Should().BeTrue();
    }

    [Fact]
    public void Scalar_WhereNumbersAreComparedExactly_IsTheSameOrAnother()
    {
        var comparer = new StateComparer(allowUninitStack: false, ignoresPrecision: false)
        {
            ComparesNumbersExactly = true,
        };
        VerifierState Holds(ScalarRange range) => Make(s => s.Cur.Regs[1] = Scalar(range));

        comparer.AreEqual(Holds(ScalarRange.Unknown), Holds(ScalarRange.Const(5)), ExactLevel.NotExact, 1).Should()
            .BeFalse();
        comparer.AreEqual(Holds(ScalarRange.Const(5)), Holds(ScalarRange.Const(5)), ExactLevel.NotExact, 1).Should()
            .BeTrue();
    }

    [Fact]
    public void Scalar_WherePrecisionIsIgnored_IsComparedThoughImprecise()
    {
        var comparer = new StateComparer(allowUninitStack: false, ignoresPrecision: true);
        VerifierState Holds(ScalarRange range) => Make(s => s.Cur.Regs[1] = Scalar(range));

        comparer.AreEqual(Holds(ScalarRange.Const(5)), Holds(ScalarRange.Unknown), ExactLevel.NotExact, 1).Should()
            .BeFalse();
        comparer.AreEqual(Holds(ScalarRange.Unknown), Holds(ScalarRange.Const(5)), ExactLevel.NotExact, 1).Should()
            .BeTrue();
    }

    [Fact]
    public void Scalars_LinkedInTheOldState_AreLinkedInTheNew()
    {
        Change Ids(int first, int second) => s =>
        {
            s.Cur.Regs[1] = Scalar(ScalarRange.Unknown, precise: true, id: first);
            s.Cur.Regs[2] = Scalar(ScalarRange.Unknown, precise: true, id: second);
        };

        AreEqual(Make(Ids(1, 1)), Make(Ids(2, 2))).Should().BeTrue();
        AreEqual(Make(Ids(1, 1)), Make(Ids(2, 3))).Should().BeFalse();
        AreEqual(Make(Ids(1, 2)), Make(Ids(3, 3))).Should().BeFalse();
        AreEqual(Make(Ids(0, 0)), Make(Ids(3, 3))).Should().BeTrue();
        AreEqual(Make(Ids(1, 1)), Make(Ids(0, 0))).Should().BeFalse();
    }

    [Fact]
    public void Scalars_WithADifference_HaveTheSameDifference()
    {
        Change Off(int id, int off) => s =>
        {
            s.Cur.Regs[1] = Scalar(ScalarRange.Unknown, precise: true, id: id);
            s.Cur.Regs[1].Off = off;
        };

        AreEqual(Make(Off(1 | RegState.AddConst, 4)), Make(Off(2 | RegState.AddConst, 4))).Should().BeTrue();
        AreEqual(Make(Off(1 | RegState.AddConst, 4)), Make(Off(2 | RegState.AddConst, 5))).Should().BeFalse();
        AreEqual(Make(Off(1, 0)), Make(Off(2 | RegState.AddConst, 4))).Should().BeFalse();
        AreEqual(Make(Off(1 | RegState.AddConst, 4)), Make(Off(2, 0))).Should().BeFalse();
        AreEqual(Make(Off(0, 0)), Make(Off(2 | RegState.AddConst, 4))).Should().BeTrue();
    }

    [Theory]
    [InlineData((int)RegType.PtrToMapValue)]
    [InlineData((int)RegType.PtrToMapKey)]
    [InlineData((int)RegType.PtrToMem)]
    [InlineData((int)RegType.PtrToBuf)]
    [InlineData((int)RegType.PtrToTpBuffer)]
    public void Pointer_IntoMemory_MayHaveANarrowerOffset(int type)
    {
        Change Holds(Action<RegRef>? change = null) => With((RegType)type, change);

        AreEqual(Make(Holds(r => r.Reg.Var = ScalarRange.Unknown)), Make(Holds())).Should().BeTrue();
        AreEqual(Make(Holds()), Make(Holds(r => r.Reg.Var = ScalarRange.Unknown))).Should().BeFalse();
        AreEqual(Make(Holds()), Make(Holds(r => r.Reg.Off = 8))).Should().BeFalse();
        AreEqual(Make(Holds()), Make(Holds(r => r.Reg.Target = SomeLock))).Should().BeFalse();
        AreEqual(Make(Holds()), Make(Holds(r => r.Reg.Word0 = 1))).Should().BeFalse();
        AreEqual(Make(Holds()), Make(Holds(r => r.Reg.Word1 = 1))).Should().BeFalse();
        AreEqual(Make(Holds()), Make(Holds(r => r.Reg.Id = 1))).Should().BeFalse();
        AreEqual(Make(Holds()), Make(Holds(r => r.Reg.RefObjId = 1))).Should().BeFalse();
        AreEqual(Make(Holds(r => r.Reg.Id = 2)), Make(Holds(r => r.Reg.Id = 1))).Should().BeTrue();
        AreEqual(Make(Holds()), Make(With(RegType.PtrToCtx))).Should().BeFalse();
    }

    [Theory]
    [InlineData((int)RegType.PtrToPacket)]
    [InlineData((int)RegType.PtrToPacketMeta)]
    public void Pointer_IntoAPacket_MayReachFurther(int type)
    {
        Change Holds(int range, Action<RegRef>? change = null) => With((RegType)type, r =>
        {
            r.Reg.PktRange = range;
            change?.Invoke(r);
        });

        AreEqual(Make(Holds(8)), Make(Holds(14))).Should().BeTrue();
        AreEqual(Make(Holds(0)), Make(Holds(14))).Should().BeTrue();
        AreEqual(Make(Holds(8)), Make(Holds(8))).Should().BeTrue();
        AreEqual(Make(Holds(14)), Make(Holds(8))).Should().BeFalse();
        AreEqual(Make(Holds(-1)), Make(Holds(-1))).Should().BeTrue();
        AreEqual(Make(Holds(-2)), Make(Holds(-1))).Should().BeFalse("beyond the end and at it are no lengths");
        AreEqual(Make(Holds(-1)), Make(Holds(8))).Should().BeFalse();
        AreEqual(Make(Holds(8)), Make(Holds(-1))).Should().BeFalse();
        AreEqual(Make(Holds(8)), Make(Holds(8, r => r.Reg.Off = 2))).Should().BeFalse();
        AreEqual(Make(Holds(8)), Make(Holds(8, r => r.Reg.Id = 2))).Should().BeFalse();
        AreEqual(Make(Holds(8)), Make(Holds(8, r => r.Reg.Var = ScalarRange.Unknown))).Should().BeFalse();
        AreEqual(Make(Holds(8, r => r.Reg.Var = ScalarRange.Unknown)), Make(Holds(8))).Should().BeTrue();
    }

    [Fact]
    public void Pointer_ToTheStack_IsOfOneFrame()
    {
        AreEqual(Make(With(RegType.PtrToStack)), Make(With(RegType.PtrToStack))).Should().BeTrue();
        AreEqual(Make(With(RegType.PtrToStack)), Make(With(RegType.PtrToStack, r => r.Reg.Frameno = 1))).Should()
            .BeFalse();
        AreEqual(Make(With(RegType.PtrToStack)), Make(With(RegType.PtrToStack, r => r.Reg.Off = -8))).Should()
            .BeFalse();
    }

    [Fact]
    public void Pointer_IntoAnArena_IsLikeAnyOther() =>
        AreEqual(Make(With(RegType.PtrToArena)), Make(With(RegType.PtrToArena, r => r.Reg.Off = 8))).Should().BeTrue();

    [Fact]
    public void Pointer_OfAnyOtherKind_IsTheSame()
    {
        AreEqual(Make(With(RegType.PtrToBtfId)), Make(With(RegType.PtrToBtfId))).Should().BeTrue();
        AreEqual(Make(With(RegType.PtrToBtfId)), Make(With(RegType.PtrToBtfId, r => r.Reg.BtfId = 9))).Should()
            .BeFalse();
        AreEqual(Make(With(RegType.PtrToBtfId, r => r.Reg.Var = ScalarRange.Unknown)),
            Make(With(RegType.PtrToBtfId))).Should().BeFalse();
        AreEqual(Make(With(RegType.PtrToBtfId, r => r.Reg.RefObjId = 1)), Make(With(RegType.PtrToBtfId))).Should()
            .BeFalse();
    }

    [Fact]
    public void Stack_BytesOfEachKind_AreComparedWhereRead()
    {
        Change Slot(SlotKind kind, bool isRead = true) => s => SetSlot(s, kind, isRead);

        AreEqual(Make(Slot(SlotKind.Zero)), Make(Slot(SlotKind.Zero))).Should().BeTrue();
        AreEqual(Make(Slot(SlotKind.Misc)), Make(Slot(SlotKind.Zero))).Should().BeTrue("a zero is some byte");
        AreEqual(Make(Slot(SlotKind.Zero)), Make(Slot(SlotKind.Misc))).Should().BeFalse();
        AreEqual(Make(Slot(SlotKind.Misc)), Make(Slot(SlotKind.Invalid))).Should().BeFalse();
        AreEqual(Make(Slot(SlotKind.Invalid)), Make(Slot(SlotKind.Misc))).Should().BeTrue();
        AreEqual(Make(Slot(SlotKind.Misc)), Make()).Should().BeFalse("there is no slot");
        AreEqual(Make(Slot(SlotKind.Invalid)), Make()).Should().BeTrue();
        AreEqual(Make(Slot(SlotKind.Misc, isRead: false)), Make()).Should().BeTrue("nobody reads it");
        AreEqual(Make(Slot(SlotKind.Misc, isRead: false)), Make(), ExactLevel.RangeWithin).Should().BeFalse();
        AreEqual(Make(Slot(SlotKind.Misc, isRead: false)), Make(Slot(SlotKind.Zero)), ExactLevel.Exact).Should()
            .BeFalse();
    }

    [Fact]
    public void Stack_WhereUninitialisedBytesMayBeRead_TakesAnythingForMisc()
    {
        var comparer = new StateComparer(allowUninitStack: true, ignoresPrecision: false);
        VerifierState Slot(SlotKind kind) => Make(s => SetSlot(s, kind));

        comparer.AreEqual(Slot(SlotKind.Misc), Slot(SlotKind.Invalid), ExactLevel.NotExact, 1).Should().BeTrue();
        comparer.AreEqual(Slot(SlotKind.Misc), Make(), ExactLevel.NotExact, 1).Should().BeTrue();
        comparer.AreEqual(Slot(SlotKind.Zero), Slot(SlotKind.Invalid), ExactLevel.NotExact, 1).Should().BeFalse();
    }

    [Fact]
    public void Stack_SpilledScalar_IsComparedAsARegister()
    {
        Change Spill(ScalarRange range) => s =>
        {
            SetSlot(s, SlotKind.Spill);
            s.Cur.Stack[0].Spilled = Scalar(range, precise: true);
        };
        Change misc = s => SetSlot(s, SlotKind.Misc);

        AreEqual(Make(Spill(ScalarRange.Unknown)), Make(Spill(ScalarRange.Const(1)))).Should().BeTrue();
        AreEqual(Make(Spill(ScalarRange.Const(1))), Make(Spill(ScalarRange.Unknown))).Should().BeFalse();
        AreEqual(Make(Spill(ScalarRange.Unknown)), Make(misc)).Should().BeTrue("misc bytes are any scalar");
        AreEqual(Make(Spill(ScalarRange.Const(1))), Make(misc)).Should().BeFalse();
        AreEqual(Make(misc), Make(Spill(ScalarRange.Const(1)))).Should().BeTrue();
    }

    [Fact]
    public void Stack_DynptrsAndIterators_AreOfOneKindAndPlace()
    {
        Change Slot(SlotKind kind, int word0, int word1, int refObjId = 0) => s =>
        {
            SetSlot(s, kind);
            ref var reg = ref s.Cur.Stack[0].Spilled;
            (reg.Word0, reg.Word1, reg.RefObjId) = (word0, word1, refObjId);
        };

        foreach (var kind in new[] { SlotKind.Dynptr, SlotKind.Iter })
        {
            AreEqual(Make(Slot(kind, 1, 1)), Make(Slot(kind, 1, 1))).Should().BeTrue();
            AreEqual(Make(Slot(kind, 1, 1)), Make(Slot(kind, 2, 1))).Should().BeFalse();
            AreEqual(Make(Slot(kind, 1, 1)), Make(Slot(kind, 1, 0))).Should().BeFalse();
            AreEqual(Make(Slot(kind, 1, 1, 5)), Make(Slot(kind, 1, 1, 6))).Should().BeTrue();
            AreEqual(Make(Slot(kind, 1, 1, 5)), Make(Slot(kind, 1, 1))).Should().BeFalse();
        }

        AreEqual(Make(Slot(SlotKind.Iter, 1, 1)), Make(Slot(SlotKind.Dynptr, 1, 1))).Should().BeFalse();
        Change OfType(RegType type, object? target) => s =>
        {
            SetSlot(s, SlotKind.Iter);
            (s.Cur.Stack[0].Spilled.Type, s.Cur.Stack[0].Spilled.Target) = (type, target);
        };
        AreEqual(Make(OfType(RegType.PtrToStack, null)), Make(OfType(RegType.Scalar, null))).Should().BeFalse();
        AreEqual(Make(OfType(RegType.PtrToStack, SomeLock)), Make(OfType(RegType.PtrToStack, null))).Should().BeFalse();
    }

    [Fact]
    public void Widening_ForgetsImpreciseScalarsThatChanged()
    {
        Change Holds(ulong value, bool precise) => s =>
        {
            s.Cur.Regs[1] = Scalar(ScalarRange.Const(value), precise: precise);
            SetSlot(s, SlotKind.Spill);
            s.Cur.Stack[0].Spilled = Scalar(ScalarRange.Const(value), precise: precise);
        };

        Widened(Holds(1, false), Holds(2, false)).Should().Be((ScalarRange.Unknown, ScalarRange.Unknown));
        Widened(Holds(1, false), Holds(1, false)).Should().Be(
            (ScalarRange.Const(1), ScalarRange.Const(1)), "it did not change");
        Widened(Holds(1, true), Holds(2, false)).Should().Be(
            (ScalarRange.Const(2), ScalarRange.Const(2)), "its value mattered");
        Widened(Holds(1, false), Holds(2, true)).Should().Be((ScalarRange.Const(2), ScalarRange.Const(2)));
        Widened(With(RegType.PtrToCtx), Holds(2, false)).Should().Be(
            (ScalarRange.Const(2), ScalarRange.Const(2)), "it was a pointer, and there was no slot");

        var comparer = new StateComparer(false, false);
        Change Linked(int id) => s => s.Cur.Regs[1] = Scalar(ScalarRange.Const(1), id: id);
        var current = Make(Linked(2));
        comparer.AreEqual(Make(Linked(1)), Make(Linked(3)), ExactLevel.Exact, 10).Should().BeTrue();
        comparer.WidenImpreciseScalars(Make(Linked(1)), current, 10, alwaysPrecise: false);
        current.Cur.Regs[1].Var.Should().Be(ScalarRange.Const(1), "ids of another comparison do not count");

        static (ScalarRange Reg, ScalarRange Slot) Widened(Change old, Change cur)
        {
            var state = Make(cur);
            new StateComparer(false, false).WidenImpreciseScalars(Make(old), state, 10, alwaysPrecise: false);
            return (state.Cur.Regs[1].Var, state.Cur.Stack[0].Spilled.Var);
        }
    }

    private sealed class RegRef
    {
        public RegState Reg;
    }

    private static bool AreEqual(VerifierState old, VerifierState cur, ExactLevel exact = ExactLevel.NotExact) =>
        new StateComparer(allowUninitStack: false, ignoresPrecision: false).AreEqual(old, cur, exact, idGen: 1000);

    private static VerifierState Make(Change? change = null)
    {
        var state = new VerifierState();
        state.Frames[0] = new FuncState();
        state.Frames[0]!.Init(callsite: -1, frameno: 0, subprogno: 0);
        state.Frames[0]!.Live.ReadRegs = 0b110;
        change?.Invoke(state);
        return state;
    }

    private static Change With(RegType type, Action<RegRef>? change = null) => s =>
    {
        var reg = new RegRef { Reg = Pointer(type) };
        change?.Invoke(reg);
        s.Cur.Regs[1] = reg.Reg;
    };

    private static RegState Pointer(RegType type, int refObjId = 0)
    {
        var reg = default(RegState);
        reg.MarkKnownZero(type);
        reg.RefObjId = refObjId;
        return reg;
    }

    private static RegState Scalar(ScalarRange range, bool precise = false, int id = 0)
    {
        var reg = default(RegState);
        reg.MarkUnknown(precise);
        reg.Var = range;
        reg.Id = id;
        return reg;
    }

    private static void SetSlot(VerifierState state, SlotKind kind, bool isRead = true)
    {
        state.Cur.Stack = new StackSlot[1];
        state.Cur.SlotCount = 1;
        state.Cur.Stack[0].SetAll(kind);
        state.Cur.Live.ReadSlots = isRead ? 1ul : 0;
    }
}
