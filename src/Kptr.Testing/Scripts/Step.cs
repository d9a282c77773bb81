using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Testing.Scripts;

internal enum StepKind
{
    Update,
    Delete,
    Take,
    Store,
    TakeOut,
    Iterate,
    Visit,
    VisitDelete,
    VisitStop,
    WalkDelete,
    EndOwner,
    BadPrefix,
    FailAllocation,
    StepRcu,
    StepGrace,
    StepWork,
    Quiesce,
    DeleteAll,
    UpdateBatch,
    DeleteBatch,
    LookupBatch,
    TakeBatch,
    Fill,
}

/// <summary>One operation of a script.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Key">Number of the key.</param>
/// <param name="Value">What the plain bytes are made from.</param>
/// <param name="Flags">Of updates.</param>
/// <param name="IsUser">By a system call; else by a program.</param>
/// <param name="Context">The context the program runs in.</param>
/// <param name="Cpu">The CPU.</param>
/// <param name="Object">Number of the object to store.</param>
/// <param name="Field">Number of the kptr field.</param>
internal readonly record struct Step(
    StepKind Kind, int Key = 0, ulong Value = 0, MapUpdateFlags Flags = MapUpdateFlags.Any, bool IsUser = true,
    ExecContext Context = ExecContext.Process, int Cpu = 0, int Object = 0, int Field = 0) : IStep<Step>
{
    /// <summary>Keys in a batch that names its keys.</summary>
    internal const int BatchCount = 3;

    private const int SimpleKeys = 4;

    /// <summary>Keys of one batch of a walk; 0 for room for all.</summary>
    internal int BatchRoom => (int)(Value % BatchCount);

    /// <summary>Elements that a visit sees before it stops.</summary>
    internal int StopAt => (int)(Value % BatchCount);

    private string BatchText => BatchRoom == 0 ? "one batch" : $"batches of {BatchRoom}";

    private string By => IsUser ? $"user, CPU {Cpu}" : $"program in {Context}, CPU {Cpu}";

    internal static string NameOf(int obj) => obj < 0 ? "nothing"
        : obj < MapShape.ObjectCount ? $"task {(char)('A' + obj)}"
        : obj < 2 * MapShape.ObjectCount ? $"cgroup {(char)('A' + obj - MapShape.ObjectCount)}"
        : $"cpumask {(char)('A' + obj - (2 * MapShape.ObjectCount))}";

    public IEnumerable<Step> Simpler()
    {
        var step = this;
        var one = step.Kind switch
        {
            StepKind.VisitDelete or StepKind.WalkDelete or StepKind.Take or StepKind.DeleteAll or StepKind.DeleteBatch
                or StepKind.TakeBatch => StepKind.Delete,
            StepKind.Fill or StepKind.UpdateBatch => StepKind.Update,
            _ => step.Kind,
        };
        for (var key = 0; key < SimpleKeys && one != step.Kind; key++)
        {
            yield return new(one, key, one == StepKind.Update ? 1UL : 0);
        }

        if (step.Kind is StepKind.StepRcu or StepKind.StepGrace or StepKind.StepWork)
        {
            yield return step with { Kind = StepKind.Quiesce };
        }

        if (step.Kind is StepKind.Update or StepKind.Delete)
        {
            yield return step with { IsUser = true, Context = ExecContext.Process, Cpu = 0 };
            yield return step with
            {
                IsUser = true, Context = ExecContext.Process, Cpu = 0, Flags = MapUpdateFlags.Any, Value = 1,
            };
        }
    }

    public override string ToString() => Kind switch
    {
        StepKind.Update => $"update key {Key} to value {Value} with {Flags} ({By})",
        StepKind.Delete => $"delete key {Key} ({By})",
        StepKind.Take => $"look up and delete key {Key}",
        StepKind.Store => $"store {NameOf(Object)} under key {Key}, field {Field}",
        StepKind.TakeOut => $"take out what key {Key} holds in field {Field}",
        StepKind.Iterate => "walk all keys with GetNextKey",
        StepKind.Visit => "visit all elements with ForEachElem",
        StepKind.VisitDelete => "visit all elements, deleting each",
        StepKind.VisitStop => $"visit elements, and stop at number {StopAt + 1}",
        StepKind.WalkDelete => "walk all keys with GetNextKey, deleting each that is passed",
        StepKind.EndOwner => $"the owner of key {Key} goes, and another comes",
        StepKind.BadPrefix => "update, delete and look up a prefix longer than its key",
        StepKind.FailAllocation => "let the next allocation of an element fail",
        StepKind.StepRcu => "let an RCU grace period end",
        StepKind.StepGrace => "let a grace period of each flavour end",
        StepKind.StepWork => "run a work item",
        StepKind.Quiesce => "let everything deferred run",
        StepKind.Fill => $"update all keys (those that have room, where the map makes none) to values from {Value}",
        StepKind.UpdateBatch => $"update keys {Key} to {Key + BatchCount - 1} to values from {Value} in one batch",
        StepKind.DeleteBatch => $"delete keys {Key} to {Key + BatchCount - 1} in one batch",
        StepKind.LookupBatch => $"look all keys up in {BatchText}",
        StepKind.TakeBatch => $"look up and delete all keys in {BatchText}",
        _ => "delete every key",
    };
}
