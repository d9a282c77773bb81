using Kptr.Isa;

namespace Kptr.Specs;

/// <summary>Which helper an instruction calls.</summary>
internal static class HelperCalls
{
    /// <summary>Whether the instruction calls this helper.</summary>
    internal static bool Calls(this BpfInsn insn, HelperId helper) => insn.IsHelperCall && insn.Imm == (int)helper;
}
