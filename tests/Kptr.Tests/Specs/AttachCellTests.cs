using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Specs;

/// <summary>Which functions of real kernels programs may be attached to, and in which ways.</summary>
public class AttachCellTests
{
    private static readonly ImmutableArray<BpfInsn> s_insns = TextAssembler.Assemble("r0 = 0\nexit").Insns;

    private static readonly ProgSpec[] s_ways =
    [
        Way(AttachType.TraceFentry), Way(AttachType.TraceFexit), Way(AttachType.ModifyReturn),
        Way(AttachType.TraceFentry) with { IsSleepable = true },
        Way(AttachType.ModifyReturn) with { IsSleepable = true },
    ];

    [Theory]
    [InlineData("6.1", 300)]
    [InlineData("6.12", 350)]
    [InlineData("7.2", 800)]
    public void Functions_OfTheKernel_AreOpenToProgramsAsItSays(string version, int least)
    {
        // The prototype is not in the table, and no BTF tells which functions have an address.
        var cells = CellRows.Read($"attach-cells-{version}.tsv").Where(c => c.Word.IndexOfAny(['p', 'a']) < 0).ToList();
        var btf = new BtfBuilder("vmlinux");
        var proto = btf.AddFuncProto(btf.AddInt("int", 4, isSigned: true), []);
        var ids = cells.ConvertAll(c => btf.AddFunc(c.Label, proto));
        var kernel = KernelOf(version, btf, injects: false);

        cells.Should().HaveCountGreaterThan(least);
        cells.Zip(ids, (c, id) => (c.Label, c.Word, Here: string.Concat(s_ways.Select(w => Answer(w, id, kernel)))))
            .Where(c => c.Word != c.Here).Select(c => $"{c.Label}: kernel {c.Word}, here {c.Here}").Should().BeEmpty();
    }

    [Theory]
    [InlineData("6.1", false, "++mss", "++mss", "++mss")]
    [InlineData("6.1", true, "++mss", "++mss", "++mss")]
    [InlineData("6.12", false, "++mss", "++mss", "++mss")]
    [InlineData("6.12", true, "+++++", "++mss", "+++ss")]
    [InlineData("7.2", false, "+++++", "+++++", "++mss")]
    [InlineData("7.2", true, "+++++", "++mss", "+++ss")]
    public void SystemCalls_AreOpen_WhereErrorsMayBeInjected(
        string version, bool injects, string syscall, string compat, string slab)
    {
        var btf = new BtfBuilder("vmlinux");
        var proto = btf.AddFuncProto(btf.AddInt("int", 4, isSigned: true), []);
        int[] ids =
        [
            btf.AddFunc("__x64_sys_getpgid", proto), btf.AddFunc("__x64_compat_sys_x", proto),
            btf.AddFunc("should_failslab", proto),
        ];
        var kernel = KernelOf(version, btf, injects);

        ids.Select(id => string.Concat(s_ways.Select(w => Answer(w, id, kernel))))
            .Should().Equal(syscall, compat, slab);
    }

    // The kernels asked are built without.
    private static KernelSpec KernelOf(string version, BtfBuilder btf, bool injects) =>
        new(CellRows.ProfileOf(version), new KernelTypes(btf.Build()))
        {
            Kconfig = KernelConfig.Default.SetItem("CONFIG_FUNCTION_ERROR_INJECTION", injects ? "y" : "n"),
        };

    private static char Answer(ProgSpec way, int func, KernelSpec kernel)
    {
        var result = BpfVerifier.Verify(way with { AttachBtf = new BtfRef(0, func) }, kernel);
        bool Says(string text) => result.Message.Contains(text, StringComparison.Ordinal);
        return result.IsAccepted ? '+' : Says("is not modifiable") ? 'm' : Says("is not sleepable") ? 's'
            : Says("__noreturn") ? 'r' : Says("is rejected") ? 'd' : '?';
    }

    private static ProgSpec Way(AttachType type) =>
        new("p", ProgType.Tracing, s_insns) { License = "GPL", ExpectedAttachType = type };
}
