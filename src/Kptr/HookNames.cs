using System.Collections.Concurrent;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr;

/// <summary>What a name of a hook stands for.</summary>
[Flags]
internal enum HookKinds
{
    /// <summary>Nothing that the kernel has.</summary>
    None = 0,

    /// <summary>A tracepoint.</summary>
    Tracepoint = 1,

    /// <summary>A function, or an LSM hook by its bare name.</summary>
    Function = 2,

    /// <summary>A hook that a test named.</summary>
    Declared = 4,
}

/// <summary>The hooks that a kernel has, so that a mistyped one is an error and no silence.</summary>
internal sealed class HookNames(KernelTypes types)
{
    internal const string TracepointPrefix = "btf_trace_";
    internal const string LsmPrefix = "bpf_lsm_";
    private const int SearchedMax = 128;
    private readonly ConcurrentDictionary<string, HookKinds> _known = new(); // names that the kernel has, no others
    private readonly ConcurrentDictionary<string, bool> _declared = new();

    internal void Declare(string name)
    {
        _declared[NameLimits(name)] = true;
        _known.TryRemove(name, out _);
    }

    internal HookKinds KindsOf(string name)
    {
        if (_known.TryGetValue(name, out var known))
        {
            return known;
        }

        var kinds = (IsTracepoint(name) ? HookKinds.Tracepoint : 0)
            | (FunctionOf(name) is not null ? HookKinds.Function : 0)
            | (_declared.ContainsKey(name) ? HookKinds.Declared : 0);
        return kinds == HookKinds.None ? kinds : _known.GetOrAdd(name, kinds);
    }

    /// <summary>The function, or the LSM hook, of this name.</summary>
    internal BtfType? FunctionOf(string name) =>
        (types.Find(LsmPrefix + name, BtfKind.Func) ?? types.Find(name, BtfKind.Func)) is { } at ? types[at] : null;

    /// <summary>The type of a tracepoint's function, whose arguments follow the first.</summary>
    internal BtfType? TracepointOf(string name) =>
        types.Find(TracepointPrefix + name, BtfKind.Typedef) is { } at ? types[at].Ref.Ref : null;

    /// <summary>Whether an event whose programs get a record has this name (<c>sched/sched_switch</c>).</summary>
    internal bool IsEvent(string name) =>
        _declared.ContainsKey(name) || IsTracepoint(name[(name.LastIndexOf('/') + 1)..]);

    /// <summary>The name is one of a hook of some kind.</summary>
    /// <exception cref="ArgumentException">It is not; the message lists near names.</exception>
    internal void Require(string name, HookKinds kinds)
    {
        if ((KindsOf(name) & (kinds | HookKinds.Declared)) == 0)
        {
            throw Unknown(name, kinds);
        }
    }

    /// <summary>The name is one of an event with a record.</summary>
    /// <exception cref="ArgumentException">It is not; the message lists near names.</exception>
    internal void RequireEvent(string name)
    {
        if (!IsEvent(name))
        {
            throw Unknown(name, HookKinds.Tracepoint);
        }
    }

    /// <summary>A program can be attached there: what it names must be of its own kind.</summary>
    /// <exception cref="ArgumentException">It is not; the message lists near names.</exception>
    internal void RequireFor(ProgSpec prog, string name)
    {
        var section = prog.SectionName.Split('/')[0];
        switch (prog.Type)
        {
            case ProgType.RawTracepoint or ProgType.RawTracepointWritable:
                Require(name, HookKinds.Tracepoint);
                break;
            case ProgType.Tracing when prog.ExpectedAttachType != AttachType.TraceIter:
                Require(name, prog.ExpectedAttachType == AttachType.TraceRawTp
                    ? HookKinds.Tracepoint : HookKinds.Function);
                break;
            case ProgType.Lsm:
                Require(name, HookKinds.Function);
                break;
            case ProgType.Tracepoint:
                RequireEvent(name);
                break;
            case ProgType.Kprobe when section.StartsWith('u'):
                Declare(name); // a place in a user's own binary
                break;
            case ProgType.Kprobe when section is "ksyscall" or "kretsyscall" && IsTracepoint("sys_enter_" + name):
                Declare(name);
                break;
            case ProgType.Kprobe:
                Require(name, HookKinds.Function);
                break;
            default:
                Require(name, HookKinds.Tracepoint | HookKinds.Function);
                break;
        }
    }

    private bool IsTracepoint(string name) =>
        types.Find(TracepointPrefix + name, BtfKind.Typedef) is not null || TracepointNames.All.Contains(name);

    internal ArgumentException Unknown(string name, HookKinds kinds)
    {
        var what = kinds switch
        {
            HookKinds.Tracepoint => "tracepoint",
            HookKinds.Function => "function or LSM hook",
            _ => "hook",
        };
        var other = KindsOf(name) is not HookKinds.None and var found
            ? $"it is a {(found.HasFlag(HookKinds.Tracepoint) ? "tracepoint" : "function")}"
            : NearTo(name, kinds);
        return new ArgumentException(
            $"this kernel has no {what} \"{Shown(name)}\": {other}; KernelModel.DeclareHook adds one of your own",
            nameof(name));
    }

    private string NearTo(string name, HookKinds kinds)
    {
        if (name.Length > SearchedMax)
        {
            return "no name is that long";
        }

        var category = name[..(name.LastIndexOf('/') + 1)];
        var tracepoints = kinds.HasFlag(HookKinds.Tracepoint)
            ? Names(BtfKind.Typedef).Where(n => n.StartsWith(TracepointPrefix, StringComparison.Ordinal))
                .Select(n => n[TracepointPrefix.Length..]).Concat(TracepointNames.All).Select(n => category + n)
            : [];
        var functions = kinds.HasFlag(HookKinds.Function)
            ? Names(BtfKind.Func).Select(
                n => n.StartsWith(LsmPrefix, StringComparison.Ordinal) ? n[LsmPrefix.Length..] : n)
            : [];
        return NearNames.Text(name, tracepoints.Concat(functions).Concat(_declared.Keys).Distinct());
    }

    private IEnumerable<string> Names(BtfKind kind) =>
        from btf in types.All
        from id in Enumerable.Range(btf.StartId, btf.TypeCount - btf.StartId)
        let type = btf[id]
        where type.Kind == kind
        select type.Name;

    private static string Shown(string name) => name.Length <= SearchedMax ? name : name[..SearchedMax] + "...";

    private static string NameLimits(string name) =>
        Objects.NameLimits.Check(name, Objects.NameLimits.SymbolMax);
}
