using Kptr.Btf;
using Kptr.Verifier;

namespace Kptr.Tests.Verifier;

public class BtfStructWalkTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public void IdsMatch_OfAStructThatContainsItself_Ends(int off)
    {
        var b = new BtfBuilder("hostile");
        var self = b.AddStruct("self", 8, [new("me", 1, 0, 0)]);
        var other = b.AddStruct("other", 8, []);
        var btf = b.Build();
        BtfStructWalk.IdsMatch(null!, btf, self, off, btf, other, strict: false, walkFlexArrays: true).Should()
            .BeFalse();
    }

    [Fact]
    public void IdsMatch_OfAFirstMember_FindsIt()
    {
        var btf = CDeclParser.Parse(
            "struct in { int x; }; struct mid { struct in in; int y; }; struct out { long a; struct mid m[2]; };", "t");
        int Id(string name) => btf.FindId(name, BtfKind.Struct);
        bool Match(string from, int off, string to) =>
            BtfStructWalk.IdsMatch(null!, btf, Id(from), off, btf, Id(to), strict: false, walkFlexArrays: true);
        Match("out", 8, "mid").Should().BeTrue();
        Match("out", 16, "in").Should().BeTrue();
        Match("out", 12, "in").Should().BeFalse();
        Match("out", 0, "mid").Should().BeFalse();
    }
}
