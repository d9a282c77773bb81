using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Soundness;

/// <summary>Which calls of a program may fail at any time, and what they return then.</summary>
internal sealed class ProgFailures
{
    private readonly Dictionary<int, ulong> _failures = [];

    internal ProgFailures(ImmutableArray<BpfInsn> insns, KernelSpec kernel)
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
        // Of an array's values some are known to be there; hashes miss by themselves.
        0 when call.Imm == (int)HelperId.MapLookupElem && kernel.Profile.KnowsArrayHits => null,
        0 => FailableCalls.OfHelper((HelperId)call.Imm),
        BpfOp.PseudoKfuncCall => kernel.Kfuncs.TryGetValue(
            kernel.Types[new BtfRef(call.Off, call.Imm)].Name, out var kfunc) ? FailableCalls.OfKfunc(kfunc) : null,
        _ => null,
    };
}
