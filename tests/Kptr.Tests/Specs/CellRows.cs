using System.Collections.Immutable;
using System.Globalization;
using Kptr.Btf;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Specs;

/// <summary>The tables of a real kernel's answers in <c>tests/data</c>, and the programs that they are about.</summary>
internal static class CellRows
{
    /// <summary>The lines of a table: a label and what the kernel said, rows with the same answers apart.</summary>
    public static IEnumerable<(string Label, string Word)> Read(string file) =>
        from columns in Columns(file)
        from label in SplitLabels(columns[0])
        select (label, columns[^1]);

    /// <summary>The lines of a table, cut at tabulators.</summary>
    public static IEnumerable<string[]> Columns(string file) =>
        from line in File.ReadLines(TestData.Path(file))
        where !line.StartsWith('#')
        select line.Split('\t');

    /// <summary>The profile that a table is of, by the version in its name.</summary>
    public static KernelProfile ProfileOf(string version) => KernelProfile.Find($"linux-{version}")!;

    /// <summary>
    /// The program that a label names, without instructions:
    /// <c>Type[/AttachType][:target[.member]][:sleepable][=proto]</c>.
    /// </summary>
    /// <param name="label">The label.</param>
    /// <param name="proto">The target's prototype; null where the label has it, or a test needs none.</param>
    /// <param name="profile">The kernel's version; null for 6.12.</param>
    public static (ProgSpec Prog, KernelSpec Kernel, string? AttachFunc) ProgOf(
        string label, string? proto = null, KernelProfile? profile = null)
    {
        var (head, tail) = label.Split('=', 2) is [var left, var right] ? (left, right) : (label, null);
        proto ??= tail;
        var parts = head.Split(':');
        var type = parts[0].Split('/');
        var target = parts.Skip(1).FirstOrDefault(p => p != "sleepable")?.Split('.');
        var btf = new BtfBuilder("vmlinux");
        var of = btf.AddInt("int", 4, isSigned: true);
        btf.AddStruct("nf_hook_state", 4, []);
        btf.AddStruct("sk_buff", 4, []);
        btf.AddStruct("tcp_sock", 4, []);
        btf.AddStruct("task_struct", 4, []);
        var at = target is null ? (BtfRef?)null
            : new BtfRef(0, proto is null ? AddStruct(btf, target, of) : new CellTarget(btf).Add(target, proto));
        var prog = new ProgSpec("p", Enum.Parse<ProgType>(type[0]), [])
        {
            License = "GPL",
            ExpectedAttachType = type.Length > 1 ? Enum.Parse<AttachType>(type[1]) : null,
            AttachBtf = at,
            StructOpsMember = target is [_, _] ? 0 : -1,
            IsSleepable = parts[^1] == "sleepable",
        };
        return (prog, new KernelSpec(profile ?? KernelProfile.Linux6_12, new KernelTypes(btf.Build())), target?[0]);
    }

    /// <summary>Whether the kernel takes no program of the kind, whatever it does.</summary>
    public static bool NothingIsAccepted(ProgSpec prog, KernelSpec kernel) => !Enumerable.Range(0, 2)
        .Select(value => TextAssembler.Assemble($"r0 = {value}\nexit").Insns)
        .Any(insns => BpfVerifier.Verify(prog with { Insns = insns }, kernel).IsAccepted);

    /// <summary>Runs of a character as that character and how many: <c>.3+</c> is <c>...+</c>.</summary>
    public static string Unpack(string packed)
    {
        var text = new System.Text.StringBuilder();
        for (var i = 0; i < packed.Length;)
        {
            var end = i + 1;
            while (end < packed.Length && char.IsAsciiDigit(packed[end]))
            {
                end++;
            }

            var count = end == i + 1 ? 1 : int.Parse(packed.AsSpan(i + 1, end - i - 1), CultureInfo.InvariantCulture);
            text.Append(packed[i], count);
            i = end;
        }

        return text.ToString();
    }

    // Prototypes have commas too, inside parentheses.
    private static IEnumerable<string> SplitLabels(string labels)
    {
        var (start, depth) = (0, 0);
        for (var i = 0; i <= labels.Length; i++)
        {
            if (i == labels.Length || (labels[i] == ',' && depth == 0))
            {
                yield return labels[start..i];
                start = i + 1;
                continue;
            }

            depth += labels[i] switch { '(' => 1, ')' => -1, _ => 0 };
        }
    }

    private static int AddStruct(BtfBuilder btf, string[] target, int of) =>
        btf.AddStruct(target[0], 4, target.Skip(1).Select(m => new BtfMember(m, of, 0, 0)).ToImmutableArray());
}
