using Kptr.Isa;

namespace Kptr.Tests.Verifier.Liveness;

/// <summary>Constants that all ways to an instruction agree on, and the branches that they decide.</summary>
public class ConstantRegsTests
{
    [Theory]
    [InlineData("r1 = 7", 7u)]
    [InlineData("w1 = -1", uint.MaxValue)]
    [InlineData("r1 = -1", null)]
    [InlineData("r1 = 5\nr1 += 3\nr1 -= 1", 7u)]
    [InlineData("r1 = 5\nr1 *= 3", null)]
    [InlineData("r1 = 12\nr1 &= 10", 8u)]
    [InlineData("r1 &= 0", 0u)]
    [InlineData("r1 &= 1", null)]
    [InlineData("r2 = 0\nr1 &= r2", 0u)]
    [InlineData("r1 = 12\nr2 = 6\nr1 &= r2", 4u)]
    [InlineData("r1 = 200\nr1 = (s8)r1", null)]
    [InlineData("r2 = 300\nr1 = (s8)r2", 44u)]
    [InlineData("r2 = 9\nr1 = r2", 9u)]
    [InlineData("r1 = 7\ncall bpf_get_prandom_u32", null)]
    [InlineData("r6 = 7\ncall bpf_get_prandom_u32\nr1 = r6", 7u)]
    [InlineData("r1 = 0x100000000 ll", null)]
    [InlineData("r1 = 0x80000000 ll", 0x80000000u)]
    [InlineData("r2 = value ll\nr1 = *(u32 *)(r2 + 8)", LivenessCode.Frozen)]
    [InlineData("r2 = value ll\nr2 += 4\nr1 = *(u32 *)(r2 + 4)", LivenessCode.Frozen)]
    [InlineData("r2 = value ll\nr1 = *(u32 *)(r2 + 0)", null)]
    [InlineData("r1 = 7\nif r0 == 0 goto here\nr1 = 8\nhere:", null)]
    [InlineData("r1 = 7\nif r0 == 0 goto here\nr1 = 7\nhere:", 7u)]
    [InlineData("r1 = 7\nhere:\nr1 += 1\nif r0 == 0 goto here", null)]
    [InlineData("r1 = map ll\nr1 = 7\nif r0 == 0 goto here\nr1 = 7\nhere:", 7u)]
    public void Register_HoldsAConstant_WhereAllWaysAgree(string asm, uint? expected)
    {
        var code = new LivenessCode(asm + "\nr0 = r1\nexit");
        var at = code.Insns.Length - 2;

        code.Known.TryNumber(at, 1, out var value).Should().Be(expected is not null);
        value.Should().Be(expected ?? value);
    }

    [Fact]
    public void Register_HoldsAMapOrAFunction()
    {
        var code = new LivenessCode("r1 = map ll\nr2 = callback ll\nr0 = 0\nexit\ncallback:\nr0 = 0\nexit");

        code.Known.TryMap(4, 1, out _).Should().BeTrue();
        code.Known.TryMap(4, 2, out _).Should().BeFalse();
        code.Known.TryFunction(4, 2, out var function).Should().BeTrue();
        function.Should().Be(1);
        code.Known.TryFunction(4, 1, out _).Should().BeFalse();
    }

    [Theory]
    [InlineData("r1 = 7\nif r1 == 7 goto other", 1)]
    [InlineData("r1 = 7\nif r1 != 7 goto other", 0)]
    [InlineData("r1 = 7\nif r1 > 6 goto other", 1)]
    [InlineData("r1 = 7\nif r1 > -1 goto other", 0)]
    [InlineData("r1 = 7\nif r1 s> -1 goto other", 1)]
    [InlineData("w1 = -1\nif w1 s< 0 goto other", 1)]
    [InlineData("w1 = -1\nif r1 s< 0 goto other", 0)]
    [InlineData("r1 = 7\nr2 = 8\nif r1 < r2 goto other", 1)]
    [InlineData("r1 = 7\nif r1 & 8 goto other", 0)]
    [InlineData("r1 = 7\nif r1 < r2 goto other", null)]
    [InlineData("if r1 == 7 goto other", null)]
    public void Branch_OfConstants_BecomesAJump(string asm, int? off)
    {
        var code = new LivenessCode(asm + "\nr0 = 1\nother:\nr0 = 0\nexit");
        var at = code.Insns.Length - 4;

        code.Cut.Should().Be(off is not null);
        code.Insns[at].Should().Be(off is { } o ? Asm.Ja((short)o) : code.Insns[at]);
    }
}
