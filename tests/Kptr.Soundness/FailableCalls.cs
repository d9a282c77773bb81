using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Soundness;

/// <summary>Which calls of a program may fail at any time, and what they return then.</summary>
internal sealed class FailableCalls
{
    private readonly Dictionary<int, ulong> _failures = [];

    internal FailableCalls(ImmutableArray<BpfInsn> insns, KernelSpec kernel)
    {
        for (var i = 0; i < insns.Length; i++)
        {
            if (insns[i].Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) && FailureOf(insns[i], kernel) is { } r0)
            {
                _failures[i] = r0;
            }
        }
    }

    /// <summary>Whether the call at an instruction may fail, and with what.</summary>
    internal bool TryFind(int insnIdx, out ulong r0) => _failures.TryGetValue(insnIdx, out r0);

    private static ulong? FailureOf(BpfInsn call, KernelSpec kernel) => call.Src switch
    {
        0 => OfHelper((HelperId)call.Imm),
        BpfOp.PseudoKfuncCall => OfKfunc(call, kernel),
        _ => null,
    };

    // An exchange always happens, and takes its reference: it cannot fail.
    private static ulong? OfHelper(HelperId id) => id switch
    {
        HelperId.MapUpdateElem or HelperId.MapPushElem => (ulong)-(long)(int)Errno.E2BIG,
        HelperId.KptrXchg => null,
        _ => HelperTable.Find(id) is { } helper && (helper.Ret & RetKind.MaybeNull) != 0 ? 0 : null,
    };

    // A reference on an object that the program owns is always to be had; what takes a reference away
    // does so when it fails, too.
    private static ulong? OfKfunc(BpfInsn call, KernelSpec kernel)
    {
        var name = kernel.Types[new BtfRef(call.Off, call.Imm)].Name;
        return name != "bpf_refcount_acquire_impl" && kernel.Kfuncs.TryGetValue(name, out var kfunc)
            && (kfunc.Flags & (KfuncFlags.RetNull | KfuncFlags.Release)) == KfuncFlags.RetNull ? 0 : null;
    }
}
