using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Verifier.Context;

/// <summary>Where a program runs: its kind, and what it is attached to.</summary>
/// <param name="prog">The program.</param>
/// <param name="kernel">The kernel that runs it.</param>
/// <param name="target">What a BTF program is attached to; null for other types.</param>
internal sealed class Hook(ProgSpec prog, KernelSpec kernel, AttachTarget? target)
{
    public ProgSpec Prog => prog;

    public KernelSpec Kernel => kernel;

    public AttachTarget? Target => target;

    public bool IsLsmCgroup => prog.Type == ProgType.Lsm && prog.ExpectedAttachType == AttachType.LsmCgroup;

    public bool IsLsmMac => prog.Type == ProgType.Lsm && !IsLsmCgroup;

    /// <summary>The struct whose member a program implements; empty for other programs.</summary>
    public string StructOpsName =>
        prog.Type == ProgType.StructOps && prog.AttachBtf is { } at ? kernel.Types[at].Name : "";

    /// <summary>Whether offsets into the context may be variable (<c>is_var_ctx_off_allowed</c>).</summary>
    public bool IsContextIndexed => kernel.Profile.IndexesSyscallContext && prog.Type == ProgType.Syscall;

    /// <summary>
    /// Whether a pointer into the context may have a known offset: where the kernel rewrites no access to it
    /// (<c>bpf_verifier_ops.convert_ctx_access</c> is null).
    /// </summary>
    public bool IsContextOffset => kernel.Profile.OffsetsPlainContexts && prog.Type is ProgType.Kprobe
        or ProgType.Tracepoint or ProgType.RawTracepoint or ProgType.RawTracepointWritable or ProgType.Tracing
        or ProgType.Lsm or ProgType.StructOps or ProgType.CgroupDevice or ProgType.Netfilter or ProgType.LircMode2;

    /// <summary>Whether a member of a kernel struct returns an object, with a reference to it.</summary>
    public bool ReturnsPointer => prog.Type == ProgType.StructOps && kernel.Profile.StructOpsHandOverReferences
        && ResultOfMember.Kind == BtfKind.Ptr;

    /// <summary>Of members of kernel structs: what they return.</summary>
    public BtfType ResultOfMember => target!.Btf.SkipModifiers(target.Proto.RefTypeId);

    /// <summary>Whether nobody takes what the program returns.</summary>
    public bool HasNoReturnValue => (IsLsmMac || prog.Type == ProgType.StructOps) && target!.ReturnsVoid;
}
