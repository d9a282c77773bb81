using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf.Linking;

/// <summary>Finds what tracing and LSM programs attach to among the kernel's types.</summary>
internal static class AttachTargets
{
    /// <summary>
    /// The program with <see cref="ProgSpec.AttachBtf"/> set, or with a fault where the target does not exist.
    /// </summary>
    public static ProgSpec Resolve(ProgSpec prog, KernelTypes kernel)
    {
        var flags = SectionDefs.Find(prog.SectionName)?.Flags ?? SectionFlags.None;
        if ((flags & SectionFlags.Usdt) != 0)
        {
            prog = prog with { ExpectedAttachType = AttachType.TraceUprobeMulti };
        }

        // Programs for many functions are verified as if for one that has no arguments.
        if (prog.IsForManyFunctions)
        {
            return Find("vmlinux:bpf_multi_func", prog.ExpectedAttachType, kernel) is { } any
                ? prog with { AttachBtf = any } : prog;
        }

        if ((flags & SectionFlags.AttachBtf) == 0 || prog.AttachBtf is not null)
        {
            return prog;
        }

        if (prog.Type == ProgType.Ext)
        {
            return Missing(prog, "attach program FD is not set");
        }

        if (string.IsNullOrEmpty(prog.AttachTarget))
        {
            return Missing(prog, "no BTF-based attach target is specified");
        }

        return Find(prog.AttachTarget, prog.ExpectedAttachType, kernel) is { } place
            ? prog with { AttachBtf = place }
            : Missing(prog, $"failed to find kernel BTF type ID of '{prog.AttachTarget}'");
    }

    private static ProgSpec Missing(ProgSpec prog, string message) =>
        prog with { LinkFault = new(DiagCode.AttachTargetNotFound, message) };

    /// <summary>
    /// Targets may be written <c>module:name</c>; raw tracepoints are typedefs, the rest are functions.
    /// </summary>
    private static BtfRef? Find(string target, AttachType? attach, KernelTypes kernel)
    {
        var colon = target.IndexOf(':', StringComparison.Ordinal);
        var module = colon < 0 ? null : target[..colon];
        var name = target[(colon + 1)..];
        var (prefix, kind) = attach switch
        {
            AttachType.TraceRawTp => ("btf_trace_", BtfKind.Typedef),
            AttachType.LsmMac or AttachType.LsmCgroup => ("bpf_lsm_", BtfKind.Func),
            AttachType.TraceIter => ("bpf_iter_", BtfKind.Func),
            _ => ("", BtfKind.Func),
        };
        for (var i = 0; i < kernel.All.Length; i++)
        {
            if (module is not null && kernel.All[i].Name != module && !(i == 0 && module == "vmlinux"))
            {
                continue;
            }

            var id = kernel.All[i].FindId(prefix + name, kind);
            if (id >= kernel.All[i].StartId)
            {
                return new BtfRef(i, id);
            }
        }

        return null;
    }
}
