using Kptr.Isa;

namespace Kptr.Verifier.Cfg;

/// <summary>What the shape of a program depends on in its calls of helpers and kfuncs.</summary>
internal interface ICallFacts
{
    /// <summary>The traits of a helper or kfunc call; none of calls between functions.</summary>
    CallTraits TraitsOf(in BpfInsn insn);

    /// <summary>Refuses a call of a kfunc that this kernel does not have (<c>add_kfunc_call</c>).</summary>
    void CheckKfuncExists(int insnIdx);

    /// <summary>Registers a call may change, as a mask, and whether the JIT puts its body in place.</summary>
    uint ClobberedBy(in BpfInsn insn, out bool inlined);
}
