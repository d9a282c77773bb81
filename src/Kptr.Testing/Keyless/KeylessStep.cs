using Kptr.Maps;
using Kptr.Objects;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.Keyless;

internal enum KeylessKind
{
    Push,
    Pop,
    Peek,
    Fill,
    Drain,
    ByKey,
    Quiesce,
}

/// <summary>One operation on a map without keys.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Value">What the bytes are made from.</param>
/// <param name="Flags">Of pushes.</param>
/// <param name="IsUser">By a system call; else by a program.</param>
/// <param name="Context">The context the program runs in.</param>
internal readonly record struct KeylessStep(
    KeylessKind Kind, ulong Value = 0, MapUpdateFlags Flags = MapUpdateFlags.Any, bool IsUser = true,
    ExecContext Context = ExecContext.Process) : IStep<KeylessStep>
{
    private string By => IsUser ? "user" : $"program in {Context}";

    public IEnumerable<KeylessStep> Simpler()
    {
        if (Kind == KeylessKind.Fill)
        {
            yield return new(KeylessKind.Push, 1);
        }
        else if (Kind == KeylessKind.Drain)
        {
            yield return new(KeylessKind.Pop);
        }

        yield return this with { IsUser = true, Context = ExecContext.Process };
        yield return this with { Value = 1, IsUser = true, Context = ExecContext.Process, Flags = MapUpdateFlags.Any };
    }

    public override string ToString() => Kind switch
    {
        KeylessKind.Push => $"push value {Value} with {Flags} ({By})",
        KeylessKind.Pop => $"pop ({By})",
        KeylessKind.Peek => $"peek ({By})",
        KeylessKind.Fill => $"push values from {Value} until it is full",
        KeylessKind.Drain => "pop until it is empty",
        KeylessKind.ByKey => "look up, delete and walk by key",
        _ => "let everything deferred run",
    };
}
