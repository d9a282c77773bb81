using Kptr.Verifier.Liveness;

namespace Kptr.Tests.Verifier.Liveness;

/// <summary>Places that a value may point to, and what is left of two.</summary>
public class FramePlaceTests
{
    private static readonly FramePlace[] s_some =
    [
        FramePlace.None, FramePlace.At(0, -8), FramePlace.At(0, -16), FramePlace.At(1, -8), FramePlace.AnywhereIn(0),
        FramePlace.Somewhere(3), FramePlace.Join(FramePlace.At(0, -8), FramePlace.At(0, -24)),
    ];

    [Fact]
    public void Join_IsIdempotentAndCommutative()
    {
        foreach (var a in s_some)
        {
            FramePlace.Join(a, a).Should().Be(a);
            foreach (var b in s_some)
            {
                FramePlace.Join(a, b).Should().Be(FramePlace.Join(b, a));
            }
        }
    }

    [Theory]
    [InlineData("fp0-16|fp0-8", "fp0-8", "fp0-16")]
    [InlineData("fp0-8|fp0+0", "fp0-8", "_")]
    [InlineData("fp0-16|fp0-8", "fp0-16|fp0-8", "_")]
    [InlineData("fp0-32|fp0-24|fp0-16|fp0-8", "fp0-32|fp0-16", "fp0-24|fp0-8")]
    [InlineData("fp0 ?", "fp0-32|fp0-24|fp0-16|fp0-8", "fp0-40")]
    [InlineData("fp0 ?", "fp0 ?", "fp0-8")]
    [InlineData("fp0 ?", "fp0 ?", "_")]
    [InlineData("IMP3", "fp0-8", "fp1-8")]
    [InlineData("IMP7", "IMP3", "fp2-8")]
    [InlineData("IMP3", "IMP3", "_")]
    [InlineData("_", "_", "_")]
    public void Join_OfTwo_KnowsWhatBothKnow(string joined, string a, string b) =>
        FramePlace.Join(Parse(a), Parse(b)).ToString().Should().Be(joined);

    [Theory]
    [InlineData("fp0 ?", "fp0-8", "_")]
    [InlineData("fp0 ?", "fp0-8", "fp0-16")]
    [InlineData("fp0 ?", "_", "fp0-8")]
    [InlineData("IMP3", "fp0-8", "fp1-8")]
    [InlineData("IMP3", "IMP3", "_")]
    [InlineData("_", "_", "_")]
    public void Mix_KeepsAFrameAtMost(string mixed, string dst, string src) =>
        FramePlace.Mix(Parse(dst), Parse(src)).ToString().Should().Be(mixed);

    [Fact]
    public void Plus_MovesAllOffsets_AndForgetsThemBeyond16Bits()
    {
        Parse("fp0-16|fp0-8").Plus(-8).ToString().Should().Be("fp0-24|fp0-16");
        FramePlace.At(2, -32768).Plus(-1).ToString().Should().Be("fp2 ?");
        FramePlace.At(2, 0).Plus(1L << 32).ToString().Should().Be("fp2 ?");
        FramePlace.AnywhereIn(1).Plus(8).Should().Be(FramePlace.AnywhereIn(1));
    }

    [Fact]
    public void ValueThatNobodySet_IsNoPlace() => default(FramePlace).Should().Be(FramePlace.None);

    [Fact]
    public void Sets_HaveHalvesAndSlots()
    {
        LivenessCode.Text(SlotSet.Range(1, 2)).Should().Be("-8 -12");
        SlotSet.Range(1, 2).HalvesOf(0).Should().Be(2);
        SlotSet.Range(1, 2).HalvesOf(1).Should().Be(1);
        SlotSet.Range(126, 500).HalvesOf(63).Should().Be(3);
        SlotSet.Range(62, 65).HalvesOf(32).Should().Be(3);
        SlotSet.Range(0, 1000).Should().Be(SlotSet.All);
        SlotSet.Range(3, 2).IsEmpty.Should().BeTrue();
        SlotSet.Range(200, 300).IsEmpty.Should().BeTrue();
        SlotSet.All.Without(SlotSet.Range(0, 126)).Should().Be(SlotSet.Range(127, 127));
    }

    private static FramePlace Parse(string text)
    {
        if (text == "_")
        {
            return FramePlace.None;
        }

        if (text.StartsWith("IMP", StringComparison.Ordinal))
        {
            return FramePlace.Somewhere(Convert.ToInt32(text[3..], 16));
        }

        var frame = text[2] - '0';
        return text.EndsWith('?') ? FramePlace.AnywhereIn(frame)
            : text.Split('|').Select(p => FramePlace.At(frame, short.Parse(p[3..], null)))
                .Aggregate((a, b) => FramePlace.Join(a, b));
    }
}
