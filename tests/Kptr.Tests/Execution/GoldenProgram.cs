using System.Globalization;
using Kptr.Execution;
using Kptr.Isa;

namespace Kptr.Tests.Execution;

/// <summary>One program of <c>tests/data/isa/programs.txt</c> with its memory and how it must end.</summary>
internal sealed class GoldenProgram
{
    private static readonly Dictionary<int, RawHelper> Helpers = new()
    {
        [1] = (r1, r2, _, _, _) => r1 + r2,
        [2] = (r1, r2, r3, r4, r5) => r1 + r2 + r3 + r4 + r5,
        [3] = (_, _, _, _, _) => throw new ArithmeticException("no"),
    };

    private readonly List<string> _asm = [];
    private byte[] _memory = [];
    private byte[]? _after;
    private string _end = "";

    private GoldenProgram(string name) => Name = name;

    internal string Name { get; }

    internal static IEnumerable<GoldenProgram> ReadAll(string path)
    {
        GoldenProgram? current = null;
        foreach (var line in File.ReadLines(path).Where(l => l.Length > 0 && l[0] != '#'))
        {
            if (line.StartsWith("== ", StringComparison.Ordinal))
            {
                if (current is not null)
                {
                    yield return current;
                }

                current = new GoldenProgram(line[3..]);
                continue;
            }

            current!.Add(line);
        }

        yield return current!;
    }

    internal BpfInsn[] Assemble() => [.. TextAssembler.Assemble(string.Join('\n', _asm)).Insns];

    internal void Check()
    {
        using var machine = Interpreter.ForRaw([.. Assemble()], Helpers);
        var memory = _memory.ToArray();
        var result = Engines.Run(machine, memory, new ExecOptions { Fuel = 30_000_000 });
        var words = _end.Split(' ');
        if (words[0] == "fault")
        {
            result.Fault.Should().NotBeNull("of {0}", Name);
            result.Fault!.Code.ToString().Should().Be(words[1], "of {0}", Name);
            if (words[2] != "any")
            {
                result.Fault.InsnIdx.Should().Be(int.Parse(words[2], CultureInfo.InvariantCulture), "of {0}", Name);
            }

            return;
        }

        result.Fault.Should().BeNull("of {0}", Name);
        result.R0.Should().Be(Number(words[1]), "of {0}", Name);
        memory.Should().Equal(_after ?? memory, "of {0}", Name);
    }

    internal static ulong Number(string text) => text.StartsWith("0x", StringComparison.Ordinal)
        ? ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        : ulong.Parse(text, CultureInfo.InvariantCulture);

    private void Add(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        var word = space < 0 ? line : line[..space];
        switch (word)
        {
            case "mem":
                _memory = Hex(line[4..]);
                break;
            case "after":
                _after = Hex(line[6..]);
                break;
            case "fault":
            case "r0" when line.Split(' ').Length == 2:
                _end = line;
                break;
            default:
                _asm.Add(line);
                break;
        }
    }

    private static byte[] Hex(string text) => Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal));

}
