using Kptr.Objects;

namespace Kptr.Testing;

/// <summary>What kfuncs need to be tried, and what they say of themselves.</summary>
public sealed record KfuncCapabilities
{
    /// <summary>C declarations that a kernel needs for them (<c>KernelModelOptions.Declarations</c>).</summary>
    public string Declarations
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Declarations));
    } = "";

    /// <summary>
    /// How objects are made that kfuncs take as arguments, by the name of their struct: new ones, whose one reference
    /// is the caller's. Tasks, cgroups and CPU masks need no entry.
    /// </summary>
    public IReadOnlyDictionary<string, Func<KernelCore, KernelObject>> Objects
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Objects));
    } = new Dictionary<string, Func<KernelCore, KernelObject>>();

    /// <summary>Which kfuncs are tried; empty for all that Kptr itself does not have.</summary>
    public IReadOnlyList<string> Kfuncs
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Kfuncs));
    } = [];

    /// <summary>
    /// Kfuncs that keep a reference they take, or hand out one that they kept (a queue's push and pop): counts need
    /// not move with their flags.
    /// </summary>
    public IReadOnlyList<string> Keeping
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Keeping));
    } = [];

    /// <summary>Numbers that mean something to them, tried beside small, negative and huge ones.</summary>
    public IReadOnlyList<ulong> Numbers
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Numbers));
    } = [];

    /// <summary>Whether programs on several CPUs may call them at once.</summary>
    public bool IsThreadSafe { get; init; } = true;

    /// <summary>Which kfuncs are tried, and what makes their objects.</summary>
    public override string ToString() =>
        (Kfuncs.Count == 0 ? "all kfuncs that Kptr does not have" : string.Join(", ", Kfuncs))
        + (Objects.Count == 0 ? "" : $"; makes {string.Join(", ", Objects.Keys)}")
        + (IsThreadSafe ? "" : "; one CPU at a time");
}
