using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Fuzz;

/// <summary>
/// Raw BTF, on its own and split from a kernel's: refused with a diagnostic, or it answers every question.
/// </summary>
internal static class BtfTarget
{
    internal static bool Run(byte[] input) => Try(input, null) | Try(input, BtfQuestions.Base);

    internal static IEnumerable<byte[]> Seeds() =>
    [
        BtfQuestions.Base.ToBytes(),
        BtfQuestions.Base.ToBytes(bigEndian: true),
        CDeclParser.Parse("struct mod { struct task_struct *t; union either e; u64 x; }; typedef struct mod mod_t;",
            "mod", BtfQuestions.Base).ToBytes(),
        .. CDeclTarget.Texts()
            .Select(t => CDeclParser.TryParse(t, "seed", null, new DiagSink())?.ToBytes())
            .OfType<byte[]>(),
        .. SeedFiles.Objects().Select(o => SeedFiles.Section(o, ".BTF")).OfType<byte[]>().OrderBy(s => s.Length).Take(
            4),
    ];

    private static bool Try(byte[] input, BtfSpec? baseBtf)
    {
        var sink = new DiagSink();
        var btf = BtfSpec.TryRead(input, "fuzz", baseBtf, sink);
        Finding.Unless((btf is null) == !sink.IsEmpty, "a fault and a result exclude each other");
        if (btf is not null)
        {
            BtfQuestions.Ask(btf);
        }

        return btf is not null;
    }
}
