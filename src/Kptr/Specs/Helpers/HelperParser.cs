using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Specs;

/// <summary>Reads the helper tables: one prototype a line, in words near to C's.</summary>
/// <remarks>
/// <code>
/// ringbuf_reserve(map, alloc_size0, any) -> ringbuf_mem? | gpl sleep pkt fastcall
/// sk_storage_get@cg_sock(map, ctx, value?, any) -> value?
/// </code>
/// An argument is modifiers and a kind: <c>out</c> written and not read first, <c>w</c> written, <c>ro</c> only read,
/// <c>aligned</c>, <c>release</c>, <c>local</c> and <c>ringbuf</c> for dynptrs, <c>?</c> may be null, <c>btf:NAME</c>,
/// <c>fixed:SIZE</c>. No arrow means an integer.
/// </remarks>
internal static class HelperParser
{
    private static readonly Dictionary<string, ArgKind> ArgWords = new()
    {
        ["map"] = ArgKind.ConstMapPtr, ["key"] = ArgKind.MapKey, ["value"] = ArgKind.MapValue, ["mem"] = ArgKind.Mem,
        ["size"] = ArgKind.ConstSize, ["size0"] = ArgKind.ConstSizeOrZero, ["ctx"] =
            ArgKind.Ctx, ["any"] = ArgKind.Anything,
        ["scalar"] = ArgKind.Scalar, ["lock"] = ArgKind.SpinLock, ["sock_common"] = ArgKind.SockCommon,
        ["sock"] = ArgKind.Socket, ["ringbuf_mem"] = ArgKind.RingbufMem, ["alloc_size0"] = ArgKind.ConstAllocSizeOrZero,
        ["btf_sock"] = ArgKind.BtfIdSockCommon, ["percpu"] = ArgKind.PercpuBtfId, ["func"] = ArgKind.Func,
        ["stack"] = ArgKind.Stack, ["str"] = ArgKind.ConstStr, ["timer"] = ArgKind.Timer, ["kptr_dst"] =
            ArgKind.KptrXchgDest,
        ["dynptr"] = ArgKind.Dynptr, ["btf"] = ArgKind.BtfId, ["fixed"] = ArgKind.Mem | ArgKind.FixedSize,
    };

    private static readonly Dictionary<string, ArgKind> Modifiers = new()
    {
        ["out"] = ArgKind.Uninit | ArgKind.Write, ["w"] = ArgKind.Write, ["ro"] = ArgKind.ReadOnly,
        ["aligned"] = ArgKind.Aligned, ["release"] = ArgKind.Release, ["local"] = ArgKind.DynptrLocal,
        ["ringbuf"] = ArgKind.DynptrRingbuf,
    };

    private static readonly Dictionary<string, RetKind> RetWords = new()
    {
        ["void"] = RetKind.Void, ["value"] = RetKind.MapValue, ["sock"] =
            RetKind.Socket, ["tcp_sock"] = RetKind.TcpSock,
        ["sock_common"] = RetKind.SockCommon, ["mem"] = RetKind.Mem, ["ringbuf_mem"] = RetKind.Mem | RetKind.Ringbuf,
        ["mem_or_btf"] = RetKind.MemOrBtfId | RetKind.ReadOnly, ["btf"] = RetKind.BtfId,
        ["trusted"] = RetKind.BtfId | RetKind.Trusted,
    };

    /// <summary>The helpers of a table.</summary>
    /// <exception cref="InvariantException">The table has an error.</exception>
    public static IEnumerable<HelperSpec> Parse(string table) =>
        table.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] != '#').Select(ParseLine);

    /// <summary>The id of a helper by its name without <c>bpf_</c>.</summary>
    public static HelperId ParseId(string name)
    {
        var pascal = string.Concat(
            name.Split('_').Select(p => p.Length == 0 ? p : char.ToUpperInvariant(p[0]) + p[1..]));
        Invariant.That(Enum.TryParse<HelperId>(pascal, out var id), $"no helper {name}");
        return id;
    }

    private static HelperSpec ParseLine(string line)
    {
        var flags = line.Split('|') is [_, var f] ? f.Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];
        var proto = line.Split('|')[0];
        int open = proto.IndexOf('(', StringComparison.Ordinal), close = proto.IndexOf(')', StringComparison.Ordinal);
        Invariant.That(open > 0 && close > open, $"no arguments in helper line {line}");
        var name = proto[..open].Split('@');
        var args = proto[(open + 1)..close].Split(
            ',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var arrow = proto.IndexOf("->", StringComparison.Ordinal);
        var (ret, retBtf) = arrow < 0 ? (RetKind.Integer, null) : ParseRet(proto[(arrow + 2)..].Trim());
        return new HelperSpec(ParseId(name[0]), "bpf_" + name[0], name.Length > 1 ? name[1] : "",
            [.. args.Select(ParseArg)], ret)
        {
            RetBtf = retBtf,
            GplOnly = flags.Contains("gpl"),
            MightSleep = flags.Contains("sleep"),
            PktAccess = flags.Contains("pkt"),
            Fastcall = flags.Contains("fastcall"),
        };
    }

    private static HelperArg ParseArg(string text)
    {
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var kind = words[..^1].Aggregate(ArgKind.None, (k, w) => k | Modifiers[w]);
        var (word, operand, maybeNull) = Split(words[^1]);
        kind |= ArgWords[word] | (maybeNull ? ArgKind.MaybeNull : 0);
        return word == "fixed"
            ? new HelperArg(kind, null, int.Parse(operand!, System.Globalization.CultureInfo.InvariantCulture))
            : new HelperArg(kind, operand);
    }

    private static (RetKind Kind, string? Btf) ParseRet(string text)
    {
        var (word, operand, maybeNull) = Split(text);
        return (RetWords[word] | (maybeNull ? RetKind.MaybeNull : 0), operand);
    }

    private static (string Word, string? Operand, bool MaybeNull) Split(string word)
    {
        var maybeNull = word.EndsWith('?');
        var parts = word.TrimEnd('?').Split(':');
        return (parts[0], parts.Length > 1 ? parts[1] : null, maybeNull);
    }
}
