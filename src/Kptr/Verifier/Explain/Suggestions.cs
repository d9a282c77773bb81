using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <summary>One sentence on what would mend a fault.</summary>
internal static class Suggestions
{
    /// <param name="fault">The fault.</param>
    /// <param name="acquiredAt">Where its reference was taken, as <c>file:line</c>, or null.</param>
    /// <returns>The sentence, or null where the message says enough.</returns>
    public static string? For(Diagnostic fault, string? acquiredAt) => fault.Code switch
    {
        DiagCode.UnreleasedRef =>
            $"Release the reference taken{(acquiredAt is null ? "" : $" at {acquiredAt}")} on this path, or move it into a map with bpf_kptr_xchg.",
        DiagCode.NullDereference => "Compare the pointer with NULL before using it.",
        DiagCode.KptrStore => "Exchange the field with bpf_kptr_xchg and release what it returns.",
        DiagCode.KptrAccessInvalid => "Load the whole pointer with one aligned 8-byte load, or exchange it with bpf_kptr_xchg.",
        DiagCode.KptrTypeMismatch => "Put only a trusted pointer of exactly the field's type into it.",
        DiagCode.SectionUnbalanced => "Close the section on every path that opened it.",
        DiagCode.RegUninitialized => "Write the register on every path before it is read; calls clear R0 to R5.",
        DiagCode.PacketAccessInvalid => "Compare the pointer plus the access size with data_end first.",
        _ => null,
    };
}
