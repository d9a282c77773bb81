using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.KfuncScripts;

/// <summary>An object that the kit passes to a kfunc.</summary>
/// <param name="Object">The object.</param>
/// <param name="Reference">
/// The reference that goes with it; null for an address that the program only thinks to own.
/// </param>
internal readonly record struct Passed(KernelObject Object, KernelRef<KernelObject>? Reference);

/// <summary>What one thread's program was given, and what it gave back: the kit's kfuncs' side of a call.</summary>
internal sealed class Tray
{
    internal Passed?[] Objects { get; set; } = [];

    internal ulong[] Numbers { get; set; } = [];

    /// <summary>By place: 0 for the result, i + 1 for argument i; absent where the program gave nothing.</summary>
    internal Dictionary<ulong, ulong> Addresses { get; } = [];

    internal Dictionary<ulong, KernelRef<KernelObject>> References { get; } = [];

    /// <summary>Whether bytes behind the kfunc's memory changed.</summary>
    internal bool IsOverrun { get; set; }

    internal void Load(Passed?[] objects, ulong[] numbers)
    {
        (Objects, Numbers, IsOverrun) = (objects, numbers, false);
        Addresses.Clear();
        References.Clear();
    }
}

/// <summary>The trays of one kernel, one a thread.</summary>
internal sealed class Trays : IDisposable
{
    private readonly ThreadLocal<Tray> _trays = new(() => new Tray());

    /// <summary>The one of this thread.</summary>
    internal static Tray Of(KernelCore core) => core.Single(static _ => new Trays())._trays.Value!;

    public void Dispose() => _trays.Dispose();
}

/// <summary>The kit's own kfuncs: through them its programs get arguments and give back what they have.</summary>
internal static class TrayKfuncs
{
    internal const string Number = "kptr_testing_number";
    internal const string Canary = "kptr_testing_canary";

    /// <summary>What lies behind the memory that a kfunc is given.</summary>
    internal const int CanaryWord = 0x5eed5eed;

    private const KfuncHooks Everywhere = KfuncHooks.Syscall | KfuncHooks.Tracing;

    internal static string Give(string type) => $"kptr_testing_give_{type}";

    internal static string Take(string type) => $"kptr_testing_take_{type}";

    /// <summary>A registry with them.</summary>
    internal static KfuncRegistry AddTo(KfuncRegistry kfuncs, IEnumerable<string> types) => kfuncs.With([
        Declare(Number, KfuncFlags.None, $"u64 {Number}(u32 place)",
            static (ctx, place, _, _, _, _) => Trays.Of(ctx.Core).Numbers[place]),
        Declare(Canary, KfuncFlags.None, $"void {Canary}(u64 word)", CanaryBody),
        .. types.SelectMany(type => (KfuncDeclaration[])[
            Declare(Give(type), KfuncFlags.Acquire, $"struct {type} *{Give(type)}(u32 place)", GiveBody),
            Declare(Take(type), KfuncFlags.Release, $"void {Take(type)}(struct {type} *obj, u32 place)", TakeBody)])]);

    private static KfuncDeclaration Declare(string name, KfuncFlags flags, string prototype, CallThunk body) => new(
        new KfuncAttribute(name, flags) { Prototype = prototype, Hooks = Everywhere, Profiles = ProfileSet.All }, body);

    private static ulong CanaryBody(ProgContext ctx, ulong word, ulong r2, ulong r3, ulong r4, ulong r5)
    {
        Trays.Of(ctx.Core).IsOverrun |= word != CanaryWord;
        return 0;
    }

    private static ulong GiveBody(ProgContext ctx, ulong place, ulong r2, ulong r3, ulong r4, ulong r5)
    {
        var passed = Trays.Of(ctx.Core).Objects[place]!.Value;
        return passed.Reference is { } owned ? ctx.GiveRef<KernelObject>(owned) : passed.Object.Address;
    }

    private static ulong TakeBody(ProgContext ctx, ulong address, ulong place, ulong r3, ulong r4, ulong r5)
    {
        var tray = Trays.Of(ctx.Core);
        tray.Addresses[place] = address;
        var isUnowned = tray.Objects.Any(p => p is { Reference: null } only && only.Object.Address == address);
        if (!isUnowned && ctx.TakeRef<KernelObject>(address) is { } owned)
        {
            tray.References[place] = owned;
        }

        return 0;
    }
}
