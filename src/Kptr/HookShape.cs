using Kptr.Btf;
using Kptr.Objects;

namespace Kptr;

/// <summary>A hook that handlers are added to: what it is called, and which arguments it has.</summary>
/// <param name="Core">The kernel.</param>
/// <param name="Name">Its name, without the prefix of a section.</param>
/// <param name="Kinds">What it is.</param>
/// <param name="Proto">Its prototype; null for one that a test made up.</param>
/// <param name="SkippedParams">Parameters before its arguments.</param>
internal sealed record HookShape(
    KernelCore Core, string Name, HookKinds Kinds, BtfType? Proto, int SkippedParams)
{
    private static readonly Dictionary<string, HookKinds> s_prefixes = new()
    {
        ["tp_btf/"] = HookKinds.Tracepoint,
        ["raw_tp/"] = HookKinds.Tracepoint,
        ["fentry/"] = HookKinds.Function,
        ["lsm/"] = HookKinds.Function,
    };

    /// <summary>The hook of this name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists near names.</exception>
    internal static HookShape Find(KernelCore core, HookNames names, string hook)
    {
        var kinds = HookKinds.Tracepoint | HookKinds.Function;
        var name = hook;
        foreach (var (prefix, of) in s_prefixes.Where(p => hook.StartsWith(p.Key, StringComparison.Ordinal)))
        {
            (kinds, name) = (of, hook[prefix.Length..]);
        }

        names.Require(name, kinds);
        return kinds.HasFlag(HookKinds.Tracepoint) && names.TracepointOf(name) is { } tracepoint
                ? new(core, name, HookKinds.Tracepoint, tracepoint, 1)
            : kinds.HasFlag(HookKinds.Function) && names.FunctionOf(name) is { } function
                ? new(core, name, HookKinds.Function, function.Ref, 0)
            : names.KindsOf(name).HasFlag(HookKinds.Declared)
                ? new(core, name, kinds, null, 0)
            : throw new ArgumentException(
                $"the kernel's types do not say which arguments \"{name}\" has; KernelModel.DeclareHook lets a handler "
                + "say so", nameof(hook));
    }

    /// <summary>How a handler gets an argument.</summary>
    /// <exception cref="ArgumentException">There is none, or it is of another type.</exception>
    internal Func<ulong, T> Reader<T>(int index)
    {
        var where = $"argument {index + 1} of {Name}";
        if (Proto is not { } proto)
        {
            return HookArg.Reader<T>(Core, null, where);
        }

        var count = proto.VLen - SkippedParams;
        return index < count && proto.Param(index + SkippedParams) is { TypeId: not 0 } param
            ? HookArg.Reader<T>(Core, proto.Btf[param.TypeId], $"{where} (\"{param.Name}\")")
            : throw new ArgumentException($"there is no {where}: it has {count}");
    }
}
