using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Testing.KfuncScripts;

internal enum ArgShape
{
    Number,
    Constant,
    Ignored,
    Object,
    Buffer,
}

/// <summary>One parameter as the kit gives it.</summary>
/// <param name="Shape">What it is.</param>
/// <param name="Type">The struct of an object; else empty.</param>
internal sealed record KfuncArg(ArgShape Shape, string Type = "");

/// <summary>A kfunc's flags and prototype, as the kernel's types have them.</summary>
internal sealed class KfuncShape
{
    /// <summary>Bytes of memory that a kfunc is given.</summary>
    internal const int BufferBytes = 8;

    private const KfuncFlags NotAsked = KfuncFlags.KptrGet | KfuncFlags.IterNew | KfuncFlags.IterNext
        | KfuncFlags.IterDestroy | KfuncFlags.RcuProtected;

    private static readonly string[] ConstantSuffixes = ["__sz", "__szk", "__k"];
    private readonly List<KfuncArg> _args = [];

    internal KfuncShape(KernelSpec kernel, string name, IReadOnlyCollection<string> makable)
    {
        Spec = kernel.Kfuncs[name];
        if (kernel.Types.Find(name, BtfKind.Func) is not { } at)
        {
            Reason = "the kernel's types have no prototype of it";
            return;
        }

        var proto = kernel.Types[at].Ref;
        for (var i = 0; i < proto.VLen; i++)
        {
            _args.Add(ArgOf(proto, i, makable));
        }

        var ret = proto.Btf[proto.RefTypeId].SkipModifiers();
        Returns = ret.Kind == BtfKind.Ptr && ret.Ref.SkipModifiers() is { Kind: BtfKind.Struct } to ? to.Name : null;
        IsRunBySyscall = Spec.ProgTypes.IsDefaultOrEmpty || Spec.ProgTypes.Contains(ProgType.Syscall);
        Reason ??= (Spec.Flags & NotAsked) != 0 ? $"its flags are {Spec.Flags & NotAsked}"
            : !IsRunBySyscall && !Spec.ProgTypes.Contains(ProgType.Tracing)
                ? "neither syscall nor tracing programs call it"
            : IsRelease && Objects.Count > 1 ? "it takes several objects"
            : Returns is not null && IsAcquire && !makable.Contains(Returns) ? $"it returns a {Returns}" : null;
    }

    internal KfuncSpec Spec { get; }

    internal string Name => Spec.Name;

    /// <summary>Why it cannot be tried; null where it can.</summary>
    internal string? Reason { get; private set; }

    internal IReadOnlyList<KfuncArg> Args => _args;

    /// <summary>The structs of its object arguments, in order.</summary>
    internal IReadOnlyList<string> Objects =>
        [.. _args.Where(a => a.Shape == ArgShape.Object).Select(a => a.Type)];

    /// <summary>The struct that it returns a pointer to; null for none.</summary>
    internal string? Returns { get; }

    internal bool IsRunBySyscall { get; }

    internal bool IsAcquire => Has(KfuncFlags.Acquire);

    internal bool IsRelease => Has(KfuncFlags.Release);

    internal bool IsSleepable => Has(KfuncFlags.Sleepable);

    internal bool MayBeNull => Has(KfuncFlags.RetNull);

    internal bool TakesDying => Has(KfuncFlags.Rcu) && !IsRelease && Objects.Count > 0;

    internal bool TakesStale => (Spec.Flags & (KfuncFlags.Rcu | KfuncFlags.TrustedArgs | KfuncFlags.Release)) == 0
        && Objects.Count > 0;

    private bool Has(KfuncFlags flag) => (Spec.Flags & flag) != 0;

    private KfuncArg ArgOf(BtfType proto, int i, IReadOnlyCollection<string> makable)
    {
        var (name, type) = (proto.Param(i).Name, proto.Btf[proto.Param(i).TypeId].SkipModifiers());
        if (name.EndsWith("__ign", StringComparison.Ordinal))
        {
            return new(ArgShape.Ignored);
        }

        if (type.Kind is BtfKind.Int or BtfKind.Enum or BtfKind.Enum64)
        {
            var isConstant = ConstantSuffixes.Any(s => name.EndsWith(s, StringComparison.Ordinal));
            return new(isConstant ? ArgShape.Constant : ArgShape.Number);
        }

        var pointee = type.Kind == BtfKind.Ptr ? type.Ref.SkipModifiers() : default;
        var isSized = i + 1 < proto.VLen && proto.Param(i + 1).Name.Contains("__sz", StringComparison.Ordinal);
        if (type.Kind == BtfKind.Ptr && isSized)
        {
            return new(ArgShape.Buffer);
        }

        if (type.Kind == BtfKind.Ptr && type.RefTypeId != 0 && pointee.Kind == BtfKind.Struct
            && (makable.Contains(pointee.Name) ? pointee.Name : MadeFor(pointee.Name)) is { } made)
        {
            return new(ArgShape.Object, made);
        }

        Reason ??= $"the kit has nothing for its parameter {name}";
        return new(ArgShape.Ignored);
    }

    // A bpf_cpumask begins with a cpumask.
    private static string? MadeFor(string type) => type == "cpumask" ? "bpf_cpumask" : null;
}
