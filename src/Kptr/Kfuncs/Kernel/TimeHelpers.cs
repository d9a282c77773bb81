using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Time and chance. All clocks start with the model's own and differ by nothing: it never suspends.</summary>
internal static class TimeHelpers
{
    private const long NsPerJiffy = 4_000_000; // CONFIG_HZ=250, as Debian has it

    [Helper(HelperId.KtimeGetNs, HelperId.KtimeGetBootNs, HelperId.KtimeGetCoarseNs)]
    internal static long NowNs(ProgContext ctx) => ctx.Core.NowNs;

    [Helper(HelperId.KtimeGetTaiNs)]
    internal static long TaiNs(ProgContext ctx) => (ctx.Core.Clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100;

    [Helper(HelperId.Jiffies64)]
    internal static long Jiffies(ProgContext ctx) => ctx.Core.NowNs / NsPerJiffy;

    [Helper(HelperId.GetPrandomU32)]
    internal static uint Random(ProgContext ctx) => ctx.Host.NextRandom();

    [Helper(HelperId.GetSmpProcessorId)]
    internal static int CpuId(ProgContext ctx) => ctx.Cpu;

    /// <summary>The model is one NUMA node.</summary>
    [Helper(HelperId.GetNumaNodeId)]
    internal static int NumaNodeId() => 0;
}
