using Kptr.Btf;

namespace Kptr.Verifier;

/// <summary>What an allowed access to the program's context yields (<c>struct bpf_insn_access_aux</c>).</summary>
/// <param name="Type">Type of the value; <see cref="RegType.Scalar"/> for plain fields.</param>
/// <param name="Btf">Of typed pointers: the BTF.</param>
/// <param name="BtfId">Of typed pointers: the type.</param>
/// <param name="IsRetval">The field is the traced function's return value.</param>
/// <param name="RefId">The reference that came with the argument; 0 where none did.</param>
internal readonly record struct CtxAccess(
    RegType Type, BtfSpec? Btf = null, int BtfId = 0, bool IsRetval = false, int RefId = 0);

/// <summary>Memory that a helper fills, which may be uninitialised before (<c>raw_mode</c> of its call).</summary>
internal sealed class RawStackArg
{
    /// <summary>Whether the memory need not be initialised.</summary>
    public bool RawMode;

    /// <summary>The register that points to it; 0 until found.</summary>
    public int Regno;
    public int AccessSize;

    /// <summary>Upper bound of the size argument, for the helper's return value.</summary>
    public ulong SizeMax;
}
