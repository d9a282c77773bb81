using System.Diagnostics;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Elf;

/// <summary>Every reader that takes a path, over every kind of file.</summary>
public sealed class FileReadingTests : IDisposable
{
    private const string Vmlinux = "/sys/kernel/btf/vmlinux";
    private const string Status = "/proc/self/status"; // stat says 0 bytes
    private const string Uevent = "/sys/kernel/uevent_seqnum"; // stat says 4096 bytes
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kptr-files");

    public static TheoryData<string> Readers => [.. All.Keys];

    private static Dictionary<string, Action<string>> All { get; } = new()
    {
        ["btf"] = path => BtfSpec.Open(path),
        ["kernel"] = path => KernelBtfReader.Read(path),
        ["object"] = path => ObjectReader.Read(path),
        ["open"] = path => BpfObject.Open(path).Dispose(),
        ["check"] = path => ObjectCheck.Run(path, TestKernel.Spec),
        ["check for several"] = path => ObjectCheck.Run(path, [TestKernel.Spec]),
    };

    public void Dispose() => _folder.Delete(recursive: true);

    [FactOf(Vmlinux)]
    public void VmlinuxOfSysfs_IsRead()
    {
        KernelBtfReader.Read(Vmlinux).Vmlinux.FindId("task_struct", BtfKind.Struct).Should().BePositive();
        BtfSpec.Open(Vmlinux).FindId("task_struct", BtfKind.Struct).Should().BePositive();
    }

    [FactOf("/usr/bin/mkfifo")]
    public void Pipe_IsReadOnceAndToItsEnd()
    {
        var btf = BigBtf();
        ThroughPipe(btf, path => KernelBtfReader.Read(path).Vmlinux.ToBytes().Should().Equal(btf));
        ThroughPipe(btf, path => BtfSpec.Open(path).ToBytes().Should().Equal(btf));
        var tracker = File.ReadAllBytes(
            Path.Combine(TestData.Root, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o"));
        ThroughPipe(tracker, path => ObjectReader.Read(path).Progs.Should().NotBeEmpty());
    }

    [FactOf(Status)]
    public void FileWithoutLength_IsReadToItsEnd()
    {
        FileBytes.Read(Status).Length.Should().BePositive();
    }

    [FactOf(Uevent)]
    public void FileShorterThanItsLength_IsReadToItsEnd()
    {
        FileBytes.Read(Uevent).Length.Should().BeInRange(1, 100);
    }

    [Theory, MemberData(nameof(Readers))]
    public void Directory_IsUnreadable(string reader) =>
        CodeOf(reader, _folder.FullName).Should().Be(DiagCode.FileUnreadable);

    [Theory, MemberData(nameof(Readers))]
    public void MissingFile_IsUnreadable(string reader) =>
        CodeOf(reader, Path.Combine(_folder.FullName, "none")).Should().Be(DiagCode.FileUnreadable);

    [Theory, MemberData(nameof(Readers))]
    public void NameWithZero_IsUnreadable(string reader) => CodeOf(reader, "a\0b").Should().Be(DiagCode.FileUnreadable);

    [Theory, MemberData(nameof(Readers))]
    public void EmptyFile_IsReported(string reader) =>
        CodeOf(reader, Write([])).Should().NotBe(DiagCode.FileUnreadable);

    [Theory, MemberData(nameof(Readers))]
    public void OneByte_IsReported(string reader) =>
        CodeOf(reader, Write([0x9f])).Should().NotBe(DiagCode.FileUnreadable);

    [Fact]
    public void FileThatIsCutShort_StaysReadable()
    {
        var path = Write(BigBtf());
        var btf = BtfSpec.Open(path);
        File.WriteAllBytes(path, []); // a mapping would end the process with a bus error here
        btf.FindId("s999", BtfKind.Struct).Should().BePositive();
    }

    [Fact]
    public void SizesAroundTheBuffer_AreReadExactly()
    {
        foreach (var size in new[] { 0, 1, 65535, 65536, 65537, 131072, 131073, 1 << 20 })
        {
            var bytes = new byte[size];
            new Random(size).NextBytes(bytes);
            FileBytes.Read(Write(bytes)).AsSpan().SequenceEqual(bytes).Should().BeTrue();
            if (!OperatingSystem.IsWindows())
            {
                ThroughPipe(bytes, path => FileBytes.Read(path).AsSpan().SequenceEqual(bytes).Should().BeTrue());
            }
        }
    }

    private static DiagCode CodeOf(string reader, string path) =>
        All[reader].Invoking(r => r(path)).Should().Throw<DiagnosticException>().Which.Diagnostics[0].Code;

    private static byte[] BigBtf()
    {
        var btf = new BtfBuilder("big");
        for (var i = 0; i < 10_000; i++)
        {
            btf.AddStruct($"s{i}", 8, []);
        }

        return btf.ToBytes();
    }

    private string Write(byte[] content)
    {
        var path = Path.Combine(_folder.FullName, "file");
        File.WriteAllBytes(path, content);
        return path;
    }

    private void ThroughPipe(byte[] content, Action<string> read)
    {
        var path = Path.Combine(_folder.FullName, "pipe");
        File.Delete(path);
        using (var make = Process.Start("mkfifo", [path]))
        {
            make.WaitForExit();
        }

        var writer = Task.Run(() =>
        {
            using var pipe = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
            pipe.Write(content);
        });
        read(path);
        writer.Wait(TimeSpan.FromSeconds(30)).Should().BeTrue("the reader takes everything");
    }
}

/// <summary>A fact that needs a file of the machine; without it the test is skipped, and says so.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class FactOfAttribute : FactAttribute
{
    public FactOfAttribute(string file)
    {
        Needed = file;
        Skip = File.Exists(file) ? null! : $"this machine has no {file}";
    }

    public string Needed { get; }
}
