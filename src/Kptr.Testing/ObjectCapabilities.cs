using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing;

/// <summary>What a type of kernel objects says of itself. What it does not claim is not asked of it.</summary>
public sealed record ObjectCapabilities
{
    /// <summary>C declarations that a kernel needs for the type (<c>KernelModelOptions.Declarations</c>).</summary>
    public string Declarations
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Declarations));
    } = "";

    /// <summary>
    /// The kfuncs of the kernels that it is tried in: <c>KfuncRegistry.Builtin.With(typeof(Mine))</c>. One of them must
    /// be its destructor, which slots then call. Kptr's own, the default, ask for none.
    /// </summary>
    public KfuncRegistry Kfuncs
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Kfuncs));
    } = KfuncRegistry.Builtin;

    /// <summary>
    /// Whether a reader that found the object before its last reference went sees all of it as it was until the
    /// reader ends. False for types that clear fields at the last release, as Linux's tasks do; their memory must stay.
    /// </summary>
    public bool KeepsFields { get; init; } = true;

    /// <summary>
    /// The context furthest from a process in which the last reference may be given back. What lies in a map's value
    /// dies wherever a program deletes it, so the default is the furthest.
    /// </summary>
    public ExecContext LastReleaseIn { get; init; } = ExecContext.Nmi;

    /// <summary>Whether threads may acquire and release it at once, as programs on several CPUs do.</summary>
    public bool IsThreadSafe { get; init; } = true;

    internal bool HasOwnKfuncs => !ReferenceEquals(Kfuncs, KfuncRegistry.Builtin);

    /// <summary>The kfuncs, of which the user's own destructors write down their calls.</summary>
    internal KfuncRegistry CountedKfuncs(KernelSpec kernel) =>
        DestructorBook.Around(Kfuncs, DestructorBook.OwnOf(kernel).Select(d => d.Value));
}
