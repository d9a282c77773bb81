using Kptr.Isa;
using Kptr.Kfuncs;

namespace Kptr.Execution;

/// <summary>
/// What the numbers in one linked program mean in one live kernel. Whoever loads the program implements it.
/// </summary>
internal interface IProgLinks
{
    /// <summary>The value of a two-slot load that names a map, a map's value or a kernel variable.</summary>
    ulong AddressOf(BpfInsn first, BpfInsn second);

    /// <summary>The helper with this number, or null where the kernel has no body for it.</summary>
    CallThunk? Helper(int id);

    /// <summary>The kfunc of a call instruction, or null where the kernel has no body for it.</summary>
    CallThunk? Kfunc(BpfInsn call);

    /// <summary>What a call instruction calls, for reports.</summary>
    string NameOf(BpfInsn call);

    /// <summary>Whether a call instruction calls <c>bpf_throw</c>, which ends the program.</summary>
    bool IsThrow(BpfInsn call);

    /// <summary>Whether a call instruction may go on in another program that takes this one's place.</summary>
    bool IsTailCall(BpfInsn call);

    /// <summary>
    /// The machine of the program that a slot of a program array holds, or null where it cannot be entered.
    /// </summary>
    Interpreter? TailTarget(object target);
}
