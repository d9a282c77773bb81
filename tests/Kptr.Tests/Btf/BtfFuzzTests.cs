using System.Text;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Fuzz;
using Xunit.Abstractions;

namespace Kptr.Tests.Btf;

/// <summary>
/// Mutated BTF, <c>.BTF.ext</c> and C text: refused with a diagnostic, or read to something that every question can be
/// asked of. <c>KPTR_FUZZ_RUNS</c> sets how many inputs each test makes, <c>KPTR_FUZZ_SEED</c> repeats a run.
/// </summary>
public class BtfFuzzTests(ITestOutputHelper output)
{
    private readonly int _runs = int.Parse(Environment.GetEnvironmentVariable("KPTR_FUZZ_RUNS") ?? "500");
    private readonly int _seed = int.Parse(Environment.GetEnvironmentVariable("KPTR_FUZZ_SEED") ?? "20612");

    [Fact]
    public void MutatedBtf_IsRefusedOrAnswersEveryQuestion() =>
        ForEach(BtfSamples.Base.ToBytes(),
            bytes => BtfSpec.TryRead(bytes, "fuzz", null, new DiagSink()) is { } btf && Ask(btf));

    [Fact]
    public void MutatedSplitBtf_IsRefusedOrAnswersEveryQuestion() => ForEach(
        BtfSamples.Split.ToBytes(),
        bytes => BtfSpec.TryRead(bytes, "fuzz", BtfSamples.Base, new DiagSink()) is { } btf && Ask(btf));

    [Fact]
    public void MutatedExt_IsRefusedOrReadable() => ForEach(BtfExtTests.Sample(false), bytes =>
    {
        if (BtfExt.TryRead(bytes, BtfExtTests.Btf, new DiagSink()) is not { } ext)
        {
            return false;
        }

        ext.Funcs.Values.SelectMany(f => f).All(f => f.TypeId < BtfExtTests.Btf.TypeCount).Should().BeTrue();
        _ = ext.Lines.Values.SelectMany(l => l).Sum(l => l.File.Length + l.Text.Length + l.Line + l.Column);
        _ = ext.Relos.Values.SelectMany(r => r).Sum(r => r.Access.Length + r.Kind + r.TypeId);
        return true;
    });

    [Fact]
    public void MutatedText_IsRefusedWithItsPlaceOrParsed() => ForEach(Encoding.UTF8.GetBytes(BtfSamples.Text), bytes =>
    {
        var sink = new DiagSink();
        var btf = CDeclParser.TryParse(Encoding.UTF8.GetString(bytes), "fuzz.h", null, sink);
        (btf is null).Should().Be(!sink.IsEmpty);
        sink.All.All(d => d.Source!.StartsWith("fuzz.h:", StringComparison.Ordinal)).Should().BeTrue();
        return btf is not null && Ask(btf);
    });

    private void ForEach(byte[] sample, Func<byte[], bool> read)
    {
        output.WriteLine($"KPTR_FUZZ_SEED={_seed} KPTR_FUZZ_RUNS={_runs}");
        var random = new System.Random(_seed);
        var accepted = 0;
        for (var run = 0; run < _runs; run++)
        {
            var bytes = Mutate(sample, random);
            try
            {
                accepted += read(bytes) ? 1 : 0;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"run {run} of seed {_seed}: {Convert.ToHexString(bytes)}", e);
            }
        }

        // Some mutations are harmless: if none were accepted, the questions were never asked.
        output.WriteLine($"accepted {accepted} of {_runs}");
        accepted.Should().BeInRange(_runs / 50, _runs - 1);
    }

    private static byte[] Mutate(byte[] sample, System.Random random)
    {
        var bytes = sample.ToArray();
        for (var left = random.Next(1, 5); left > 0; left--)
        {
            var at = random.Next(bytes.Length);
            switch (random.Next(8))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes[at] = random.Next(2) == 0 ? (byte)0 : (byte)0xff;
                    break;
                case 3:
                    bytes = random.Next(8) == 0 ? bytes[..at] : bytes;
                    break;
                case 4:
                    var length = Math.Min(random.Next(1, 24), bytes.Length - at);
                    bytes.AsSpan(random.Next(bytes.Length - length + 1), length).CopyTo(bytes.AsSpan(at));
                    break;
                default:
                    // A small number in an aligned word: ids, lengths and offsets that exist.
                    bytes[at & ~3] = (byte)random.Next(64);
                    break;
            }

            if (bytes.Length == 0)
            {
                return bytes;
            }
        }

        return bytes;
    }

    private static bool Ask(BtfSpec btf)
    {
        BtfQuestions.Ask(btf);
        return true;
    }
}
