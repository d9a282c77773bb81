using Kptr.Specs;

namespace Kptr;

/// <summary>An attachment of a program to a place in the modelled kernel. Disposing detaches it.</summary>
public sealed class BpfLink : IDisposable
{
    private int _isDetached;

    internal BpfLink(BpfProgram program, string hook, ulong cookie)
    {
        Program = program;
        Hook = hook;
        Cookie = cookie;
        Place = PlaceOf(program.Spec);
        Kind = KindOf(program.Spec);
        program.Kernel.HookTable.Names.RequireFor(program.Spec, hook);
        ObjectDisposedException.ThrowIf(!program.Object.TryHold(Purpose), program);
        program.Kernel.HookTable.Add(this);
    }

    /// <summary>The program, which the link keeps loaded.</summary>
    public BpfProgram Program { get; }

    /// <summary>Where it is attached: the name of the tracepoint, function or event.</summary>
    public string Hook { get; }

    /// <summary>What the program gets from <c>bpf_get_attach_cookie</c>.</summary>
    public ulong Cookie { get; }

    internal LinkPlace Place { get; }

    /// <summary>What it is at, where tracepoints and functions have one name; none for what may be at either.</summary>
    internal HookKinds Kind { get; }

    /// <summary>Whether it was detached.</summary>
    public bool IsDetached => Volatile.Read(ref _isDetached) != 0;

    /// <summary>Program and place.</summary>
    public override string ToString() => $"link of \"{Program.Name}\" to {Hook}{(IsDetached ? " (detached)" : "")}";

    private string Purpose => $"link to {Hook}";

    /// <summary>Detaches the program. A run that has begun on another thread ends in its own time.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDetached, 1) == 0)
        {
            Program.Kernel.HookTable.Remove(this);
            Program.Object.Put(Purpose);
        }
    }

    private static HookKinds KindOf(ProgSpec spec) => spec switch
    {
        { Type: ProgType.RawTracepoint or ProgType.RawTracepointWritable }
            or { ExpectedAttachType: AttachType.TraceRawTp } => HookKinds.Tracepoint,
        { Type: ProgType.Kprobe or ProgType.Lsm }
            or { Type: ProgType.Tracing, ExpectedAttachType: AttachType.TraceFentry or AttachType.TraceFexit
                or AttachType.ModifyReturn } => HookKinds.Function,
        _ => HookKinds.None,
    };

    private static LinkPlace PlaceOf(ProgSpec spec) => spec switch
    {
        { ExpectedAttachType: AttachType.ModifyReturn or AttachType.LsmMac or AttachType.LsmCgroup } =>
            LinkPlace.Instead,
        { ExpectedAttachType: AttachType.TraceFexit or AttachType.TraceFexitMulti } => LinkPlace.Exit,
        { Type: ProgType.Kprobe } when
            spec.SectionName.Split('/')[0].Contains("ret", StringComparison.Ordinal) => LinkPlace.Exit,
        _ => LinkPlace.Entry,
    };
}
