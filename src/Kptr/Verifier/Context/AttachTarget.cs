using Kptr.Btf;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <summary>What a BTF program is attached to, resolved.</summary>
/// <param name="Name">Function, tracepoint or struct member, as messages name it.</param>
/// <param name="Btf">The BTF the prototype is in.</param>
/// <param name="Proto">The prototype its context follows.</param>
/// <param name="SkippedParams">Leading parameters the program does not see (a tracepoint's
/// <c>void *__data</c>).</param>
internal sealed record AttachTarget(string Name, BtfSpec Btf, BtfType Proto, int SkippedParams)
{
    /// <summary>Parameters with a type of their own, by index of the parameter the program sees.</summary>
    public IReadOnlyList<CtxArg> Args { get; init; } = [];

    /// <summary>Number of parameters the program sees.</summary>
    public int ParamCount => Proto.VLen - SkippedParams;

    /// <summary>Whether the function returns nothing.</summary>
    public bool ReturnsVoid => Proto.RefTypeId == 0;
}

/// <summary>A context argument whose type the attach target fixes (<c>struct bpf_ctx_arg_aux</c>).</summary>
/// <param name="Off">Byte offset in the context.</param>
/// <param name="Type">What a load gives.</param>
/// <param name="TypeId">Struct pointed to; 0 for buffers.</param>
internal readonly record struct CtxArg(int Off, RegType Type, int TypeId)
{
    /// <summary>Whether a reference comes with it, which the program has to release.</summary>
    public bool IsRefcounted { get; init; }
}
