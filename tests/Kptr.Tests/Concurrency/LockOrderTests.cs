using Kptr.Diagnostics;

namespace Kptr.Tests.Concurrency;

/// <summary>The check of lock ranks: on in every test, and sharp.</summary>
public class LockOrderTests
{
    private readonly RankedLock _outer = new(LockRank.TaskTable);
    private readonly RankedLock _inner = new(LockRank.Ledger);

    [Fact]
    public void Check_IsOnInTests() => LockOrder.IsChecked.Should().BeTrue("tests/Directory.Build.props turns it on");

    [Fact]
    public void Enter_InTheOrder_Passes()
    {
        using (_outer.Enter())
        using (_inner.Enter())
        {
        }

        LockOrder.CallingOut("the test");
    }

    [Fact]
    public void Enter_AgainstTheOrder_ThrowsAndTakesNothing()
    {
        using (_inner.Enter())
        {
            FluentActions.Invoking(() => _outer.Enter().Dispose()).Should().Throw<InvariantException>().WithMessage(
                "*TaskTable*under Ledger*");
        }

        LockOrder.CallingOut("the test");
        var other = new Thread(() => _outer.Enter().Dispose());
        other.Start();
        other.Join();
    }

    [Fact]
    public void Enter_OfTheSameRank_Throws()
    {
        using (_outer.Enter())
        {
            FluentActions.Invoking(() => _outer.Enter().Dispose()).Should().Throw<InvariantException>();
            FluentActions.Invoking(() => new RankedLock(LockRank.TaskTable).Enter().Dispose()).Should()
                .Throw<InvariantException>();
        }
    }

    [Fact]
    public void CallingOut_UnderALock_Throws()
    {
        using (_inner.Enter())
        {
            FluentActions.Invoking(() => LockOrder.CallingOut("a handler")).Should().Throw<InvariantException>()
                .WithMessage("*a handler*Ledger*");
        }
    }

    [Fact]
    public void Held_IsPerThread()
    {
        Exception? failure = null;
        using (_inner.Enter())
        {
            var other = new Thread(() => failure = Record.Exception(() => _outer.Enter().Dispose()));
            other.Start();
            other.Join();
        }

        failure.Should().BeNull();
    }
}
