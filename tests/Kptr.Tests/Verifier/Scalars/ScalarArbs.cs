using FsCheck;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>Registers <see cref="ScalarGen"/> with FsCheck.</summary>
public static class ScalarArbs
{
    public static Arbitrary<ulong> Numbers1() => ScalarGen.Number;

    public static Arbitrary<ulong[]> NumbersMany() => ScalarGen.Numbers;
}
