using Kptr.Execution;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr;

/// <summary>How a <see cref="KernelModel"/> is set up: what every kernel is asked, and which kernel it is.</summary>
public sealed record KernelModelOptions : KernelCoreOptions
{
    /// <summary>The kernel version: which kfuncs there are, and when maps destroy values.</summary>
    public KernelProfile Profile
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Profile));
    } = KernelProfile.Linux6_12;

    /// <summary>
    /// The kernel to load into, such as one with a real <c>vmlinux</c> BTF; null for the built-in one
    /// of <see cref="Profile"/>.
    /// </summary>
    public KernelSpec? Kernel { get; init; }

    /// <summary>The kfuncs: Kptr's own, or those and the user's.</summary>
    public KfuncRegistry Kfuncs
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Kfuncs));
    } = KfuncRegistry.Builtin;

    /// <summary>
    /// C declarations of kernel types that the user's own kfuncs and objects need; only for the built-in kernel.
    /// </summary>
    public string Declarations
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Declarations));
    } = "";

    /// <summary>Map types of the user's own, which objects declare by number.</summary>
    public IReadOnlyList<MapType> MapTypes
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(MapTypes));
    } = [];

    /// <summary>The main ones.</summary>
    public override string ToString() => $"{Profile.Name}, {base.ToString()}";

    /// <summary>Seed of the random numbers that programs get.</summary>
    public int Seed { get; init; }

    /// <summary>
    /// Which engine runs programs on hooks, timers and iterators, and wherever <see cref="ExecOptions.Engine"/> leaves
    /// it open.
    /// </summary>
    public ExecEngine Engine { get; init; }

    internal KernelSpec ToSpec()
    {
        var spec = ToSpecOfKernel();
        return MapTypes.Count == 0
            ? spec
            : spec with { MapTypes = [.. spec.MapTypes, .. MapTypes.Select(t => t.Spec)] };
    }

    private KernelSpec ToSpecOfKernel()
    {
        if (Kernel is { } given)
        {
            return given;
        }

        return Declarations.Length == 0 && ReferenceEquals(Kfuncs, KfuncRegistry.Builtin)
            ? BuiltinKernel.Spec(Profile)
            : BuiltinKernel.Spec(Profile, Kfuncs, Declarations);
    }
}
