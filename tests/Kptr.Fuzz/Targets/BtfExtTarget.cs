using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Fuzz;

/// <summary><c>.BTF.ext</c> over the types of one object of ours.</summary>
internal static class BtfExtTarget
{
    private static readonly byte[] s_object = SeedFiles.Objects().First(
        o => SeedFiles.Section(o, ".BTF.ext") is { } s && HasRelos(s));
    private static readonly BtfSpec s_btf = BtfSpec.Read(SeedFiles.Section(s_object, ".BTF"), "object");

    internal static bool Run(byte[] input)
    {
        var sink = new DiagSink();
        var ext = BtfExt.TryRead(input, s_btf, sink);
        Finding.Unless((ext is null) == !sink.IsEmpty, "a fault and a result exclude each other");
        if (ext is null)
        {
            return false;
        }

        Finding.Unless(ext.Funcs.Values.SelectMany(f => f).All(f => f.TypeId < s_btf.TypeCount),
            "a function's type exists");
        Finding.Unless(ext.Relos.Values.SelectMany(r => r).All(r => r.TypeId < s_btf.TypeCount),
            "a relocation's type exists");
        _ = ext.Lines.Values.SelectMany(l => l).Sum(l => l.File.Length + l.Text.Length);
        _ = ext.Relos.Values.SelectMany(r => r).Sum(r => r.Access.Length);
        return true;
    }

    internal static IEnumerable<byte[]> Seeds()
    {
        var whole = SeedFiles.Section(s_object, ".BTF.ext")!;
        yield return whole;
        yield return whole[..32].Concat(new byte[32]).ToArray();
        foreach (var other in SeedFiles.Objects().Select(o =>
            SeedFiles.Section(o, ".BTF.ext")).OfType<byte[]>().OrderBy(s => s.Length).Take(6))
        {
            yield return other;
        }
    }

    // core_relo_len of the header.
    private static bool HasRelos(byte[] ext) => BitConverter.ToInt32(ext, 28) > 0;
}
