using System.Diagnostics;
using Xunit.Abstractions;

namespace Kptr.Testing.Tests;

/// <summary>Correct maps raise no alarm, whatever the seed.</summary>
public class SoundMapTests(ITestOutputHelper output)
{
    private static readonly TimeSpan WholeMax = TimeSpan.FromSeconds(20);

    public static TheoryData<string> Names => [.. SoundMaps.All.Keys];

    [Theory, MemberData(nameof(Names))]
    public void SoundMap_RaisesNoAlarm(string name)
    {
        var map = SoundMaps.All[name];
        for (var seed = 1; seed <= Seeds.SoundCount; seed++)
        {
            var report = MapConformance.Check(
                map.Make, map.Can, Seeds.Sound(seed) with { Policies = map.Policies });
            report.Passed.Count.Should().BeGreaterThanOrEqualTo(10, report.ToString());
        }

        if (Seeds.IsNight)
        {
            RunAll(name, map);
        }
    }

    // All scripts and rounds, as users have them. Time of the processor, for machines are busy at night.
    private void RunAll(string name, SoundMap map)
    {
        var (watch, before) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        MapConformance.Check(map.Make, map.Can, new() { Policies = map.Policies });
        var used = Environment.CpuUsage.TotalTime - before;
        output.WriteLine(
            $"{name}: {Seeds.SoundCount} seeds and no alarm; the whole in {watch.Elapsed.TotalSeconds:0.0} s, "
            + $"{used.TotalSeconds:0.0} s of the processor");
        used.Should().BeLessThan(WholeMax);
    }
}
