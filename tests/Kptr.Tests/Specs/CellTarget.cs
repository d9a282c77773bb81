using System.Globalization;
using Kptr.Btf;

namespace Kptr.Tests.Specs;

/// <summary>
/// What a program is attached to, made of a prototype as <c>cells/protos.py</c> writes it:
/// <c>int/4(meta:struct.bpf_iter_meta*,fd:int/4,void*)</c>.
/// </summary>
internal sealed class CellTarget(BtfBuilder btf)
{
    private readonly Dictionary<string, int> _types = [];

    /// <summary>Adds a function, a tracepoint's typedef with its template, or a struct of one member with its
    /// stub.</summary>
    /// <returns>What the program's <c>attach_btf_id</c> is.</returns>
    public int Add(string[] target, string text)
    {
        var open = text.IndexOf('(', StringComparison.Ordinal);
        var inner = text[(open + 1)..^1];
        var proto = btf.AddFuncProto(
            TypeOf(text[..open]), [.. (inner.Length == 0 ? [] : inner.Split(',')).Select(ParamOf)]);
        if (target is [var name, var member])
        {
            btf.AddStruct($"bpf_struct_ops_{name}", 4, []);
            btf.AddFunc($"{name}__{member}", proto);
            return btf.AddStruct(name, 8, [new BtfMember(member, btf.AddPtr(proto), 0, 0)]);
        }

        if (!target[0].StartsWith("btf_trace_", StringComparison.Ordinal))
        {
            return btf.AddFunc(target[0], proto);
        }

        btf.AddFunc($"__bpf_trace_{target[0]["btf_trace_".Length..]}", proto);
        return btf.AddTypedef(target[0], btf.AddPtr(proto));
    }

    private BtfParam ParamOf(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return new(colon < 0 ? "" : text[..colon], TypeOf(text[(colon + 1)..]));
    }

    private int TypeOf(string text)
    {
        if (!_types.TryGetValue(text, out var id))
        {
            id = text.EndsWith('*') ? btf.AddPtr(TypeOf(text[..^1])) : AddBase(text);
            _types.Add(text, id);
        }

        return id;
    }

    private int AddBase(string text)
    {
        var (name, bytes) = text.Split('/') is [var left, var right]
            ? (left, int.Parse(right, CultureInfo.InvariantCulture)) : (text, 4);
        return name.Split('.', 2) switch
        {
            ["void"] => 0,
            ["cvoid"] => btf.AddConst(0),
            ["int"] => btf.AddInt($"int{bytes}", bytes),
            ["enum"] => btf.AddEnum("", bytes, false, [new("A", 0)]),
            ["enum64"] => btf.AddEnum64("", bytes, false, [new("A", 0)]),
            ["float"] => btf.AddFloat($"float{bytes}", bytes),
            ["array"] => btf.AddArray(TypeOf("int/1"), TypeOf("int/4"), bytes),
            ["func_proto"] => btf.AddFuncProto(0, []),
            ["struct", var of] => btf.AddStruct(of, bytes, []),
            ["union", var of] => btf.AddUnion(of, bytes, []),
            ["fwd", var of] => btf.AddFwd(of),
            _ => throw new ArgumentException($"no type {text}"),
        };
    }
}
