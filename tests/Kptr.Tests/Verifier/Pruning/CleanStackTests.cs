using Kptr.Verifier.Pruning;
using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Pruning;

/// <summary>Slots of states that have lost what nothing reads: all that is left is compared, in halves.</summary>
public class CleanStackTests
{
    private const string Kinds = "?rm0difp";

    [Theory]
    [InlineData("pppppppp", "rrrrrrrr", true)]
    [InlineData("????????", "dddddddd", true)]
    [InlineData("mmmmmmmm", "pppppppp", false)]
    [InlineData("mmmmmmmm", "00000000", true)]
    [InlineData("00000000", "mmmmmmmm", false)]
    [InlineData("00000000", "00000000", true)]
    [InlineData("mmmmmmmm", "mmmmmmmm", true)]
    [InlineData("mmmmmmmm", "0000mmmm", true)]
    [InlineData("pppp0000", "mmmm0000", true)]
    [InlineData("0000pppp", "0000rrrr", true)]
    [InlineData("0000pppp", "mmmmrrrr", false)]
    [InlineData("pppprrrr", "mmmmrrrr", true)]
    [InlineData("rrrrrrrr", "mmmmmmmm", false)]
    [InlineData("dddddddd", "pppppppp", false)]
    public void Slot_StandsForAnother_InBytes(string old, string now, bool isSafe) =>
        AreEqual(Make(old), Make(now)).Should().Be(isSafe);

    [Theory]
    [InlineData("rrrrrrrr", "rrrrrrrr", 9ul, 5ul, true)]
    [InlineData("rrrrrrrr", "rrrrrrrr", 5ul, 9ul, false)]
    [InlineData("pppprrrr", "rrrrrrrr", 9ul, 5ul, true)]
    [InlineData("pppprrrr", "pppprrrr", 5ul, 9ul, false)]
    [InlineData("pppprrrr", "ppppmmmm", 9ul, 5ul, false)]
    [InlineData("ppppmmmm", "pppprrrr", 0ul, 5ul, true)]
    public void Numbers_AreComparedFromTheirHalfOn(string old, string now, ulong oldMax, ulong nowMax, bool isSafe) =>
        AreEqual(Make(old, oldMax), Make(now, nowMax)).Should().Be(isSafe);

    [Theory]
    [InlineData("pppppppp", "????????", true)]
    [InlineData("pppppppp", "mmmmmmmm", false)]
    [InlineData("ppppmmmm", "????mmmm", true)]
    public void Exactly_NothingAndWhatMustNotBeRead_AreTheSame(string old, string now, bool isSafe) =>
        AreEqual(Make(old), Make(now), ExactLevel.Exact).Should().Be(isSafe);

    [Fact]
    public void MarksOfReads_CountForNothing()
    {
        VerifierState old = Make("pppppppp"), now = Make("pppppppp");
        old.Cur.Regs[3].MarkKnownZero(RegType.PtrToCtx);
        now.Cur.Regs[3].MarkKnownZero(RegType.PtrToStack);

        AreEqual(old, now).Should().BeFalse("it is still there, so it is live");
        new StateComparer(allowUninitStack: false, ignoresPrecision: false).AreEqual(old, now, ExactLevel.NotExact, 9)
            .Should().BeTrue("nobody read it");
    }

    private static bool AreEqual(VerifierState old, VerifierState now, ExactLevel exact = ExactLevel.NotExact) =>
        new StateComparer(allowUninitStack: false, ignoresPrecision: false) { StatesAreClean = true }
            .AreEqual(old, now, exact, idGen: 1000);

    // A number from 0 on, precise, in slots that hold any.
    private static VerifierState Make(string kinds, ulong max = 0)
    {
        var state = new VerifierState();
        state.Frames[0] = new();
        state.Frames[0]!.Init(callsite: -1, frameno: 0, subprogno: 0);
        state.Cur.GrowStack(1);
        ref var slot = ref state.Cur.Stack[0];
        slot.Spilled.MarkUnknown(precise: true);
        slot.Spilled.Var = ScalarRange.Const(0);
        slot.Spilled.Var.UMax = max;
        slot.Spilled.Var.SMax = (long)max;
        slot.Spilled.Var.U32Max = (uint)max;
        slot.Spilled.Var.S32Max = (int)max;
        slot.Spilled.Var.Bits = new(0, 15);
        for (var i = 0; i < 8; i++)
        {
            slot[i] = (SlotKind)Kinds.IndexOf(kinds[i], StringComparison.Ordinal);
        }

        return state;
    }
}
