using Kptr.Btf;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Public.Tests;

/// <summary>Programs written as text, for kfuncs of a test's own.</summary>
internal static class ProgText
{
    /// <summary>Loads a <c>syscall</c> program; calls that are no helper's are kfuncs.</summary>
    internal static BpfProgram Load(KernelModel kernel, string text)
    {
        var asm = TextAssembler.Assemble(text);
        var insns = asm.Insns.ToArray();
        foreach (var call in asm.Symbols)
        {
            var at = kernel.Spec.Types.Find(call.Name, BtfKind.Func)!.Value;
            insns[call.InsnIdx] = new(
                insns[call.InsnIdx].Opcode, 0, BpfOp.PseudoKfuncCall, (short)at.BtfIdx, at.TypeId);
        }

        var prog = new ProgSpec("prog", ProgType.Syscall, [.. insns])
        {
            SectionName = "syscall", IsSleepable = true, License = "GPL",
        };
        return Loaded(BpfObject.From(new("text") { Progs = [prog] }), kernel).Programs["prog"];
    }

    // The kernel's end takes the object with it.
    private static BpfObject Loaded(BpfObject obj, KernelModel kernel) => obj.Load(kernel);
}
