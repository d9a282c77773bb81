// These fail, as their page says: not public from outside, so no run finds them. A page names its usings whole.
#pragma warning disable xUnit1000, IDE0005
using Kptr.Maps;
using Kptr.Testing;
using Xunit;

namespace Kptr.Testing.Tests.Pages;

/// <summary>Tests that docs/testing-your-map.md shows, of code with a fault.</summary>
internal static class ShownTests
{
    public sealed class PidMapTests
    {
        // It has no walk; its deleted elements stay whole for all readers.
        private static readonly MapCapabilities Can = MapCapabilities.Hash with
        {
            CanIterate = false, CanVisit = false, KeptFor = GracePeriods.Both,
        };

        public static TheoryData<string> Checks => [.. MapConformance.Checks.Select(c => c.Name)];

        [Theory, MemberData(nameof(Checks))]
        public void PidMap_Conforms(string check) =>
            MapConformance.Check(core => new PidMap(core, 4), Can, new() { Only = [check] });
    }

    public sealed class VisitCountTests
    {
        [Fact]
        public void VisitCount_CountsAll() => Interleavings.Explore(
            () => new VisitCount(),
            [v => v.Add(7), v => v.Add(7)],
            v => Assert.Equal(2, v.Of(7))).AssertPassed();
    }
}
