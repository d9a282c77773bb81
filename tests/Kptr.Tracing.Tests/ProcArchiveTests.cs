using System.Formats.Tar;
using System.IO.Compression;
using System.IO.Pipes;
using Kptr.Fuzz;

namespace Kptr.Tracing.Tests;

/// <summary>An archive of a machine's /proc is read as its folders are, and broken ones are refused.</summary>
public sealed class ProcArchiveTests : IDisposable
{
    private const int BrokenArchives = 400;
    private readonly FakeProc _machine = new();
    private readonly string _archive = Path.GetTempFileName();

    public ProcArchiveTests()
    {
        _machine.Write("cgroup/cgroup.controllers", "");
        _machine.Write("cgroup/web/api/cgroup.procs", "");
        _machine.Write("proc/uptime", "50.00 9.00\n");
        _machine.Task(1, 1, "init", parent: 0);
        _machine.Task(70, 70, "nginx", parent: 1, uid: 33, cgroup: "/web/api");
        _machine.Task(70, 71, "worker", parent: 1, cgroup: "/web/api");
        _machine.Write("proc/70/net/tcp", "  sl  local_address rem_address\n"
            + "   0: 0100007F:0050 00000000:0000 0A 0:0 00:0 0 33 0 500 1\n");
        if (!OperatingSystem.IsWindows())
        {
            _machine.Open(70, 3, "socket:[500]");
            _machine.Open(70, 4, "/etc/passwd");
        }
    }

    public void Dispose()
    {
        _machine.Dispose();
        File.Delete(_archive);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Archive_IsReadAsTheFoldersAre(bool isCompressed)
    {
        Pack(isCompressed);

        var read = ProcSnapshot.ReadArchive(_archive);

        TextOf(read).Should().Equal(TextOf(ProcSnapshot.Read(_machine.Proc, _machine.Cgroup)));
        read.Gaps.Should().BeEmpty();
        read.Tasks.Should().HaveCount(3);
        read.Cgroups.Should().Equal("/web", "/web/api");
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Archive_IsReadFromAPipe(bool isCompressed)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        Pack(isCompressed);
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In); // read by its number, while it is open
        var writing = Task.Run(async () =>
        {
            await using var writer = new AnonymousPipeClientStream(PipeDirection.Out, pipe.ClientSafePipeHandle);
            await writer.WriteAsync(await File.ReadAllBytesAsync(_archive));
        });
        var read = ProcSnapshot.ReadArchive($"/dev/fd/{pipe.SafePipeHandle.DangerousGetHandle()}");
        await writing;

        TextOf(read).Should().Equal(TextOf(ProcSnapshot.Read(_machine.Proc, _machine.Cgroup)));
    }

    [Fact]
    public void WhatIsNoArchive_OrHasNoProc_IsRefused()
    {
        File.WriteAllText(_archive, "no archive");
        FluentActions.Invoking(() => ProcSnapshot.ReadArchive(_archive)).Should().Throw<IOException>()
            .WithMessage($"{_archive} is no archive*");
        FluentActions.Invoking(() => ProcSnapshot.ReadArchive("/nowhere")).Should().Throw<IOException>();
        using (var file = File.Create(_archive))
        {
            TarFile.CreateFromDirectory(_machine.Cgroup, file, includeBaseDirectory: true);
        }

        FluentActions.Invoking(() => ProcSnapshot.ReadArchive(_archive)).Should().Throw<IOException>()
            .WithMessage("*shows no task*");
    }

    [Fact]
    public void NameOfManyFolders_IsRefused()
    {
        using (var file = File.Create(_archive))
        using (var tar = new TarWriter(file))
        {
            var name = string.Concat(Enumerable.Repeat("a/", 100_000));
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name + "stat"));
        }

        FluentActions.Invoking(() => ProcSnapshot.ReadArchive(_archive)).Should().Throw<IOException>()
            .WithMessage("*has a name of more than 4096 characters");
    }

    [Fact]
    public void BrokenArchive_IsReadOrRefused()
    {
        Pack(isCompressed: false);
        var whole = File.ReadAllBytes(_archive);
        for (var seed = 1; seed <= BrokenArchives; seed++)
        {
            File.WriteAllBytes(_archive, Mutator.Mutate(whole, seed));
            try
            {
                _ = ProcSnapshot.ReadArchive(_archive);
            }
            catch (IOException)
            {
                // documented
            }
        }
    }

    private static IEnumerable<string> TextOf(ProcSnapshot machine) => machine.Tasks
        .Select(t => $"{t} {t.ParentPid} {t.User} {t.CgroupPath} {t.StartTimeNs} {string.Join(", ", t.Files)}")
        .Concat(machine.Sockets.Select(s => $"{s}")).Append($"{machine} {machine.UptimeNs}");

    private void Pack(bool isCompressed)
    {
        using Stream file = File.Create(_archive);
        using var packed = isCompressed ? new GZipStream(file, CompressionLevel.Fastest) : file;
        TarFile.CreateFromDirectory(Path.GetDirectoryName(_machine.Proc)!, packed, includeBaseDirectory: false);
    }
}
