using System.Buffers.Binary;
using System.Diagnostics;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Fuzz;
using Kptr.Tests.Shared;
using Xunit.Abstractions;

namespace Kptr.Tests.Elf;

/// <summary>
/// Mutated real objects: reading, and then linking, ends in a spec or in diagnostics, soon, and in memory bounded by
/// the input. <c>KPTR_FUZZ_INPUTS</c> sets how many (nightly 1,000,000), <c>KPTR_FUZZ_SEED</c> where to start.
/// </summary>
public class ReaderFuzzTests(ITestOutputHelper output)
{
    private const int InputsDefault = 6_000;
    private const int SeedDefault = 20_261_122;
    private const long BytesMax = 64 << 20;
    private const int MillisecondsMax = 10_000;

    [Fact, Trait("Category", "Slow")]
    public void Read_OfMutatedObjects_NeverThrowsAnythingElse()
    {
        var inputs = NightlyOption.Number("KPTR_FUZZ_INPUTS", InputsDefault);
        var first = NightlyOption.Number("KPTR_FUZZ_SEED", SeedDefault);
        var originals = Originals();
        output.WriteLine($"{inputs} inputs from seed {first} over {originals.Length} objects");
        var read = 0;
        for (var i = 0; i < inputs; i++)
        {
            read += Try(originals, unchecked(first + i)) ? 1 : 0;
        }

        output.WriteLine($"{read} still read");
        read.Should().BePositive("mutations that break everything test nothing").And.BeLessThan(inputs);
    }

    private static byte[][] Originals() =>
    [
        .. Directory.GetFiles(TestData.Path("elf"), "*.bpf.o")
            .Concat(Directory.GetFiles(Path.Combine(TestData.Root, "samples"), "*.bpf.o", SearchOption.AllDirectories))
            .Order(StringComparer.Ordinal).Select(File.ReadAllBytes),
    ];

    private static bool Try(byte[][] originals, int seed)
    {
        var random = new Random(seed);
        var data = Mutate((byte[])originals[random.Next(originals.Length)].Clone(), random);
        var sink = new DiagSink();
        var bytesBefore = GC.GetAllocatedBytesForCurrentThread();
        var clock = Stopwatch.GetTimestamp();
        try
        {
            var spec = ObjectReader.TryRead(data, "fuzz", sink);
            (spec is null).Should().Be(!sink.IsEmpty, $"seed {seed}: a fault and a result exclude each other");
            return spec is not null
                && ObjectLinker.Link(spec, ElfTarget.Kernel, sink).Progs.Length == spec.Progs.Length;
        }
        catch (Exception e) when (e is not Xunit.Sdk.XunitException)
        {
            throw new InvalidOperationException($"seed {seed}", e);
        }
        finally
        {
            (GC.GetAllocatedBytesForCurrentThread() - bytesBefore).Should().BeLessThan(BytesMax, $"seed {seed}");
            Stopwatch.GetElapsedTime(clock).TotalMilliseconds.Should().BeLessThan(MillisecondsMax, $"seed {seed}");
        }
    }

    private static byte[] Mutate(byte[] data, Random random)
    {
        for (var left = 1 + random.Next(8); left > 0; left--)
        {
            var at = Place(data, random);
            switch (random.Next(7))
            {
                case 0:
                    data[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    data[at] = (byte)random.Next(256);
                    break;
                case 2 when at + 4 <= data.Length:
                    BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(at & ~3), Mutator.Interesting(random));
                    break;
                case 3 when at + 8 <= data.Length:
                    BinaryPrimitives.WriteInt64LittleEndian(
                        data.AsSpan(at & ~7), (long)Mutator.Interesting(random) << random.Next(33));
                    break;
                case 4:
                    var length = Math.Min(random.Next(64), data.Length - at);
                    data.AsSpan(random.Next(data.Length - length + 1), length).ToArray().CopyTo(data, at);
                    break;
                case 5 when at + 4 <= data.Length: // a little more or less
                    var span = data.AsSpan(at & ~3);
                    BinaryPrimitives.WriteInt32LittleEndian(
                        span, BinaryPrimitives.ReadInt32LittleEndian(span) + random.Next(-9, 10));
                    break;
                case 6 when random.Next(20) == 0:
                    data = data[..random.Next(ElfConst.HeaderBytes, data.Length)];
                    break;
            }
        }

        return data;
    }

    /// <summary>Half of the time in a section header or the file's header, where little changes a lot.</summary>
    private static int Place(byte[] data, Random random)
    {
        var table = BinaryPrimitives.ReadInt64LittleEndian(data.AsSpan(0x28));
        return random.Next(4) switch
        {
            0 => random.Next(ElfConst.HeaderBytes),
            1 when table > 0 && table < data.Length => random.Next((int)table, data.Length),
            _ => random.Next(data.Length),
        };
    }
}
