using Kptr.Verifier.Pruning;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Pruning;

/// <summary>Which state is the entry of the loop that others are in.</summary>
public class LoopEntriesTests
{
    [Fact]
    public void Entry_OfAChain_IsItsTop_AndTheWholeChainKnowsItThen()
    {
        VerifierState[] chain = [At(4), At(3), At(2), At(1)];
        for (var i = 0; i + 1 < chain.Length; i++)
        {
            chain[i].LoopEntry = chain[i + 1];
        }

        LoopEntries.Of(chain[0]).Should().BeSameAs(chain[3]);
        chain.Take(3).Should().AllSatisfy(s => s.LoopEntry.Should().BeSameAs(chain[3]));
        LoopEntries.Of(At(1)).Should().BeNull("it is in no loop");

        var own = At(1);
        own.LoopEntry = own;
        LoopEntries.Of(own).Should().BeSameAs(own);
    }

    [Theory]
    [InlineData(1, 1, 2, true)]
    [InlineData(1, 2, 2, true)]
    [InlineData(1, 3, 2, false)] // the head lies below: that is no way back
    [InlineData(0, 1, 2, false)] // all paths of the head are explored: it is on no path any more
    public void Head_ThatIsOpenAndAbove_BecomesTheEntry(int branches, int headDepth, int curDepth, bool isEntry)
    {
        VerifierState head = At(headDepth, branches), cur = At(curDepth);
        LoopEntries.Update(cur, head);

        cur.LoopEntry.Should().BeSameAs(isEntry ? head : null);
        head.UsedAsLoopEntry.Should().Be(isEntry);
    }

    [Fact]
    public void Head_IsHeldAgainstTheEntriesThatBothHave()
    {
        VerifierState outer = At(1), inner = At(2), head = At(5), cur = At(6);
        (head.LoopEntry, cur.LoopEntry) = (inner, outer);
        LoopEntries.Update(cur, head);
        cur.LoopEntry.Should().BeSameAs(outer, "its own loop begins further up than the head's");

        (head.LoopEntry, cur.LoopEntry) = (outer, inner);
        LoopEntries.Update(cur, head);
        LoopEntries.Of(cur).Should().BeSameAs(outer);
    }

    [Fact]
    public void LastPath_OfAState_EndsThoseAboveIt_AndHandsItsLoopUp()
    {
        VerifierState entry = At(1, 2), parent = At(2), state = At(3);
        (state.Parent, parent.Parent, state.LoopEntry) = (parent, entry, entry);
        var ended = new List<VerifierState>();
        LoopEntries.EndPath(state, ended.Add);

        ended.Should().Equal([state, parent], (a, b) => ReferenceEquals(a, b));
        parent.LoopEntry.Should().BeSameAs(entry);
        (state.Branches, parent.Branches, entry.Branches).Should().Be((0, 0, 1));
        ((Action)(() => LoopEntries.EndPath(state))).Should().Throw<Exception>()
            .WithMessage("*a state has fewer than no branches*");
    }

    [Fact]
    public void Path_ThatIsNotTheLast_LeavesTheParentAlone()
    {
        VerifierState entry = At(1), parent = At(2), state = At(3, 2);
        (state.Parent, state.LoopEntry) = (parent, entry);
        LoopEntries.EndPath(state);

        (state.Branches, parent.Branches, parent.LoopEntry).Should().Be((1, 1, null));
    }

    private static VerifierState At(int depth, int branches = 1) => new() { DfsDepth = depth, Branches = branches };
}
