namespace Kptr.Kfuncs;

/// <summary>What made a tracing program run.</summary>
/// <param name="ArgCount">Words of arguments in its context; the return value, where there is one, is the next.</param>
/// <param name="HasReturn">Whether the context holds a return value: at the exit of a
/// function, or in its place.</param>
/// <param name="FuncAddress">Address of the function; 0 for a tracepoint.</param>
/// <param name="Cookie">The number given when the program was attached.</param>
internal readonly record struct ProgEvent(
    int ArgCount, bool HasReturn = false, ulong FuncAddress = 0, ulong Cookie = 0);
