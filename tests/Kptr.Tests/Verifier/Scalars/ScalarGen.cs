using FsCheck;
using FluentAssertions.Execution;
using FsCheck.Fluent;
using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>Numbers near the borders where ranges go wrong, and ranges made of a few such numbers.</summary>
public static class ScalarGen
{
    private static readonly ulong[] Borders =
    [
        0, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x17fffffff,
        0x180000000, 0x7fffffff_ffffffff, 0x80000000_00000000, 0xffffffff_00000000, 0xffffffff_7fffffff,
        0xffffffff_80000000,
    ];

    public static Arbitrary<ulong> Number { get; } = Arb.From(Gen.OneOf(
        Gen.Choose(-8, 8).Select(d => (ulong)(long)d),
        Gen.Elements(Borders).SelectMany(b => Gen.Choose(-4, 4).Select(d => b + (ulong)(long)d)),
        Gen.Choose(0, 63).Select(s => 1UL << s),
        ArbMap.Default.GeneratorFor<ulong>()));

    public static Arbitrary<ulong[]> Numbers { get; } =
        Arb.From(Gen.Choose(1, 6).SelectMany(n => Number.Generator.ArrayOf(n)));

    internal static ScalarRange Hull(ulong[] numbers)
    {
        ulong ones = numbers.Aggregate((x, y) => x & y), any = numbers.Aggregate((x, y) => x | y);
        var r = new ScalarRange
        {
            Bits = new Tnum(ones, any & ~ones),
            UMin = numbers.Min(),
            UMax = numbers.Max(),
            SMin = numbers.Min(n => (long)n),
            SMax = numbers.Max(n => (long)n),
            U32Min = numbers.Min(n => (uint)n),
            U32Max = numbers.Max(n => (uint)n),
            S32Min = numbers.Min(n => (int)n),
            S32Max = numbers.Max(n => (int)n),
        };
        return r;
    }

    /// <summary>
    /// Holds every one of <paramref name="numbers"/> to a law. The words are made where one breaks it: properties ask
    /// this some hundred thousand times.
    /// </summary>
    internal static void ShouldAll(this IEnumerable<ulong> numbers, Func<ulong, bool> law, Func<ulong, string> words)
    {
        foreach (var number in numbers)
        {
            if (!law(number))
            {
                Execute.Assertion.FailWith("{0}", words(number));
            }
        }
    }

    /// <summary>A hull with some views forgotten, so that the others have to make up for them.</summary>
    internal static ScalarRange Hull(ulong[] numbers, int forget)
    {
        var r = Hull(numbers);
        if ((forget & 1) != 0)
        {
            r.SetUnbounded64();
        }

        if ((forget & 2) != 0)
        {
            r.SetUnbounded32();
        }

        if ((forget & 4) != 0)
        {
            r.Bits = Tnum.Unknown;
        }

        if ((forget & 8) != 0)
        {
            (r.UMin, r.UMax) = (0, ulong.MaxValue);
        }

        return r;
    }

    /// <summary>The shortest arcs around the numbers, with some views forgotten as above.</summary>
    internal static ScalarRange Arcs(ulong[] numbers, int forget)
    {
        var r = ScalarRange.Unknown;
        r.Bits = Hull(numbers, forget).Bits;
        if ((forget & 1) == 0)
        {
            r.Wide = Around(numbers);
        }

        if ((forget & 2) == 0)
        {
            r.Low = Around([.. numbers.Select(n => (uint)n)]);
        }

        return r;
    }

    /// <summary>The shortest arc around the numbers: all but the longest gap between neighbours.</summary>
    internal static Arc<T> Around<T>(T[] numbers)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>, System.Numerics.IUnsignedNumber<T>,
            System.Numerics.IMinMaxValue<T>
    {
        var sorted = numbers.Order().ToArray();
        var last = sorted.Length - 1;
        var gaps = sorted.Select((n, i) => (Gap: n - sorted[i == 0 ? last : i - 1], Index: i));
        var first = gaps.MaxBy(g => g.Gap).Index;
        return new(sorted[first], sorted[first == 0 ? last : first - 1] - sorted[first]);
    }
}
