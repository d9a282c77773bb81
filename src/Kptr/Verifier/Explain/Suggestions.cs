using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <summary>One sentence on what would mend a fault.</summary>
internal static class Suggestions
{
    /// <summary>For a reference that a path forgets.</summary>
    /// <param name="callee">What took it.</param>
    /// <param name="acquired">Where.</param>
    /// <param name="lost">Where the last pointer to it was lost before the path's end; null where one is left.</param>
    public static string ForUnreleased(string callee, string acquired, string? lost)
    {
        var release = StoryWords.ReleaseOf(callee) is { } name ? $"Call {name} for" : "Release";
        var keep = callee.StartsWith("bpf_iter_", StringComparison.Ordinal)
            || callee.Contains("ringbuf", StringComparison.Ordinal)
            || callee.StartsWith("bpf_sk", StringComparison.Ordinal)
            ? ""
            : ", or move it into a map with bpf_kptr_xchg";
        var before = lost is null ? "before the path ends" : $"before the last pointer to it is lost at {lost}";
        return $"{release} the reference taken at {acquired} {before}{keep}.";
    }

    /// <returns>The sentence, or null where the message says enough.</returns>
    public static string? For(DiagCode code) => code switch
    {
        DiagCode.NullDereference => "Compare the pointer with NULL before using it.",
        DiagCode.KptrStore => "Exchange the field with bpf_kptr_xchg and release what it returns.",
        DiagCode.KptrAccessInvalid =>
            "Load the whole pointer with one aligned 8-byte load, or exchange it with bpf_kptr_xchg.",
        DiagCode.KptrTypeMismatch => "Put only a trusted pointer of exactly the field's type into it.",
        DiagCode.SpecialFieldAccess =>
            "Use the field only through its helpers and kfuncs, and leave it out of what is read or written as bytes.",
        DiagCode.SectionUnbalanced => "Close the section on every path that opened it.",
        DiagCode.ReleaseUnowned => "Release only what this program acquired; acquire first what was lent to it.",
        DiagCode.UntrustedArg =>
            "Pass an argument of the program or an acquired pointer; one read from a structure must be acquired, "
                + "or read inside bpf_rcu_read_lock.",
        DiagCode.LockMisuse =>
            "Take the bpf_spin_lock that lies beside the list or tree, in the same object, around the operation.",
        DiagCode.GraphMisuse =>
            "Pass the node field that the root's __contains names, of an object that is in no list or tree.",
        DiagCode.DynptrInvalid =>
            "Initialise the dynptr once, on every path, before it is used, and leave its stack bytes alone.",
        DiagCode.IterInvalid =>
            "Start the iterator with its _new function, and keep it at one place of the stack until _destroy.",
        DiagCode.IrqFlagInvalid =>
            "Keep the flags in one slot of the stack until they are restored, the last ones saved first.",
        DiagCode.RegUninitialized => "Write the register on every path before it is read; calls clear R0 to R5.",
        DiagCode.PacketAccessInvalid => "Compare the pointer plus the access size with data_end first.",
        DiagCode.PtrModified => "Pass the pointer as it was given, and put offsets into the load itself.",
        DiagCode.SleepNotAllowed =>
            "Use a sleepable section (fentry.s, lsm.s, iter.s, ...), outside of RCU, lock and preemption sections.",
        DiagCode.CallNotAllowedHere => "Do this before the section or the reference begins, or after it has ended.",
        DiagCode.LicenseMissing => "Declare char _license[] SEC(\"license\") = \"GPL\".",
        DiagCode.StackDepthExceeded => "Move large buffers into a per-CPU array map.",
        DiagCode.InfiniteLoop or DiagCode.ComplexityExceeded =>
            "Bound the loop tighter, or use bpf_loop, bpf_for or may_goto.",
        DiagCode.ReturnValueInvalid => "Return a constant of the range, or bound the value before returning it.",
        _ => null,
    };
}
