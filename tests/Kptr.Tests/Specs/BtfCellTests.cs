using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.KernelSelftests;
using Kptr.Specs;

namespace Kptr.Tests.Specs;

/// <summary>Which of thousands of mutants of one BTF real kernels take, and with which errno it refuses the
/// others.</summary>
public class BtfCellTests
{
    /// <summary>Stands for what is refused when it is read: of several faults the kernel may name another.</summary>
    private const char Unreadable = '!';

    [Theory]
    [InlineData("btf", 0, "6.12")]
    [InlineData("btf", 0, "7.2")]
    [InlineData("btf-large", BtfCells.FirstLarge, "6.12")]
    [InlineData("btf-large", BtfCells.FirstLarge, "7.2")]
    public void Mutants_OfABtfWithEveryKindOfType_AreTakenWhereTheKernelTakesThem(
        string table, int first, string version)
    {
        var lines = File.ReadAllLines(TestData.Path($"{table}-cells-{version}.tsv"));
        var hash = BtfCells.Hash();
        lines[0].Should().EndWith($"{hash:x8}", "the answers are about that BTF: ask the kernel again");
        var answers = string.Concat(lines.Skip(1));
        var kernel = BuiltinKernel.Spec(CellRows.ProfileOf(version));
        var wrong = new List<string>();
        var unknown = 0;
        for (var i = 0; i < answers.Length; i++)
        {
            var (said, message) = Answer(BtfCells.Mutant(first + i), kernel);
            if (said == 'u' && answers[i] != 'u' && message.Contains("do not describe it", StringComparison.Ordinal))
            {
                unknown++;
            }
            else if (said == Unreadable ? answers[i] == '+' : said != answers[i])
            {
                wrong.Add($"{i}: kernel {answers[i]}, here {said} {message}");
            }
        }

        answers.Length.Should().BeGreaterThanOrEqualTo(3_000);
        unknown.Should().BeLessThan(10, "few mutants are named like a kernel struct that the built-in kernel lacks");
        wrong.Should().BeEmpty();
    }

    private static (char Letter, string Message) Answer(byte[] bytes, KernelSpec kernel)
    {
        BtfSpec btf;
        try
        {
            btf = BtfSpec.Read(bytes, "mutant");
        }
        catch (DiagnosticException e)
        {
            return (Unreadable, e.Message);
        }

        var reader = new BtfRecordReader(
            btf, kernel.Types, kernel.Dtors.GetValueOrDefault, kernel.Profile.RecordRules);
        var load = reader.Load;
        return (load.Error switch
        {
            Errno.None => '+',
            Errno.EINVAL => '.',
            Errno.E2BIG => 'b',
            Errno.ENOENT => 'e',
            Errno.EEXIST => 'x',
            Errno.EFAULT => 'u',
            Errno.ELOOP => 'l',
            Errno.ENOTSUPP => 'n',
            Errno.EOPNOTSUPP => 'o',
            Errno.EACCES => 'a',
            _ => '?',
        }, load.Message);
    }
}
