using Kptr.Specs;

namespace Kptr.Testing;

/// <summary>How much is tried with the programs of an object, in which kernels.</summary>
public sealed record ProgramTestOptions
{
    /// <summary>
    /// Seed of the first script, and one more for each that follows: a failure's seed here, with
    /// <see cref="Scripts"/> at 1, makes it again.
    /// </summary>
    public int Seed { get; init; } = 1;

    /// <summary>Random scripts; each is played in every kernel.</summary>
    public int Scripts { get; init; } = 100;

    /// <summary>Steps of a script at most.</summary>
    public int StepsMax { get; init; } = 40;

    /// <summary>Names of the checks to run; empty for all.</summary>
    public IReadOnlyList<string> Only
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Only));
    } = [];

    /// <summary>The kernels to load into. Not asked where <see cref="Kernel"/> names one of its own.</summary>
    public IReadOnlyList<KernelProfile> Profiles
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Profiles));
    } = [KernelProfile.Linux6_12, KernelProfile.Linux7_2];

    /// <summary>Under which destroy policies, each with each profile.</summary>
    public IReadOnlyList<DestroyBehavior> Policies
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Policies));
    } = [DestroyBehavior.Eager, DestroyBehavior.Recycle];

    /// <summary>
    /// What may be made to fail, by the names of <c>FaultPlan.Points</c>; empty for nothing. Null, the default: memory,
    /// locks and last references, and whatever the programs call that may fail.
    /// </summary>
    public IReadOnlyList<string>? Faults { get; init; }

    /// <summary>
    /// Kfuncs, declarations, map types, CPUs and engine of the kernels. Profile, clock, driver, ledger, seed and fault
    /// plan are the test's own.
    /// </summary>
    public KernelModelOptions Kernel
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Kernel));
    } = new();

    /// <summary>Which programs are loaded, and which maps are the user's; <see cref="LoadOptions.Reuse"/> is not
    /// possible, since there are many kernels.</summary>
    public LoadOptions Load
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Load));
    } = new();

    /// <summary>
    /// What a test does after the object is loaded and its programs are attached, before each script. What it
    /// holds must be given back by the end of the object.
    /// </summary>
    public Action<KernelModel, BpfObject>? Prepare { get; init; }

    /// <summary>Instructions that loops may repeat in a run that a script starts itself; a run that needs more is not
    /// judged.</summary>
    public long Fuel { get; init; } = 1_000_000;

    /// <summary>Seed, amount and kernels.</summary>
    public override string ToString() =>
        $"seed {Seed}, {Scripts} scripts of at most {StepsMax} steps; "
        + $"{string.Join(", ", Profiles.Select(p => p.Name))}; {string.Join(", ", Policies)}"
        + (Only.Count == 0 ? "" : $"; only {string.Join(", ", Only)}");
}
