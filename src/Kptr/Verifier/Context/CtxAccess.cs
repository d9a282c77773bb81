using Kptr.Btf;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <summary>What an allowed access to the program's context yields (<c>struct bpf_insn_access_aux</c>).</summary>
/// <param name="Type">Type of the value; <see cref="RegType.Scalar"/> for plain fields.</param>
/// <param name="Btf">Of typed pointers: the BTF.</param>
/// <param name="BtfId">Of typed pointers: the type.</param>
/// <param name="IsRetval">The field is the traced function's return value.</param>
/// <param name="IsRefcounted">A reference came with the argument, which is the program's to release.</param>
internal readonly record struct CtxAccess(
    RegType Type, BtfSpec? Btf = null, int BtfId = 0, bool IsRetval = false, bool IsRefcounted = false);
