using Kptr.Verifier.Pruning;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Pruning;

/// <summary>Which ids agree, and which no other number has.</summary>
public class PruningSetTests
{
    [Fact]
    public void Ids_AgreeOneToOne()
    {
        var ids = new IdMap();
        ids.Reset(100);

        ids.Check(1, 7).Should().BeTrue("a new pair");
        ids.Check(2, 8).Should().BeTrue("another");
        ids.Check(1, 7).Should().BeTrue("the same pair again");
        ids.Check(1, 8).Should().BeFalse("the old id stands for 7");
        ids.Check(3, 7).Should().BeFalse("7 is taken");
        ids.Check(7, 1).Should().BeTrue("sides are not exchanged");
        ids.Check(0, 0).Should().BeTrue();
        ids.Check(0, 9).Should().BeFalse("no id is no new id");
        ids.Check(9, 0).Should().BeFalse();
        ids.Reset(100);
        ids.Check(1, 8).Should().BeTrue("a reset forgets");
    }

    [Fact]
    public void Ids_OfScalars_MayBeMissingInTheOldState()
    {
        var ids = new IdMap();
        ids.Reset(100);

        ids.CheckScalar(0, 5).Should().BeTrue("the old state asks for nothing");
        ids.CheckScalar(1, 0).Should().BeTrue("a scalar without id gets one of its own, 101");
        ids.CheckScalar(1, 0).Should().BeFalse("but each of them another");
        ids.CheckScalar(1, 101).Should().BeTrue();
        ids.CheckScalar(2, 5).Should().BeTrue();
        ids.CheckScalar(2, 6).Should().BeFalse();
    }

    [Fact]
    public void Ids_OfScalarsWithADifference_AgreeWithAndWithoutIt()
    {
        var ids = new IdMap();
        ids.Reset(0);

        ids.CheckScalar(1 | RegState.AddConst, 2 | RegState.AddConst).Should().BeTrue();
        ids.CheckScalar(1, 2).Should().BeTrue("the base ids are a pair now");
        ids.CheckScalar(1, 3).Should().BeFalse();
        ids.CheckScalar(4 | RegState.AddConst, 2 | RegState.AddConst).Should().BeFalse();
        ids.CheckScalar(5, 6).Should().BeTrue();
        ids.CheckScalar(5 | RegState.AddConst, 7 | RegState.AddConst).Should().BeFalse("5 stands for 6");
    }

    [Fact]
    public void LoneIds_AreTakenFromNumbersThatNoOtherIsLinkedWith()
    {
        var state = new VerifierState();
        var regs = (state.Frames[0] = new FuncState()).Regs;
        int[] ids = [1, 1 | RegState.AddConst32, 2, 3 | RegState.AddConst64, 0];
        for (var i = 0; i < ids.Length; i++)
        {
            regs[i].MarkUnknown(precise: false);
            (regs[i].Id, regs[i].Off) = (ids[i], i);
        }

        (regs[8].Type, regs[8].Id) = (RegType.PtrToMapValue | RegType.MaybeNull, 2);
        new LoneIds().Clear(state);
        regs.Take(5).Select(r => (r.Id, r.Off)).Should().Equal(
            (1, 0), (1 | RegState.AddConst32, 1), (0, 0), (0, 0), (0, 4));
        regs[8].Id.Should().Be(2, "a pointer's id is no number's");
    }

    [Fact]
    public void Ids_MoreThanStatesCanHold_DoNotAgree()
    {
        const int PairsMax = (11 + 64) * 16;
        var ids = new IdMap();
        ids.Reset(0);

        Enumerable.Range(1, PairsMax).Should().OnlyContain(i => ids.Check(i, i + 1));
        ids.Check(PairsMax, PairsMax + 1).Should().BeTrue();
        ids.Check(PairsMax + 1, PairsMax + 2).Should().BeFalse();
    }
}
