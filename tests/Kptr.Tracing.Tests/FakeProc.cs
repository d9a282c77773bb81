namespace Kptr.Tracing.Tests;

/// <summary>A machine's /proc and /sys/fs/cgroup, written by a test.</summary>
internal sealed class FakeProc : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("kptr-proc").FullName;

    public string Proc => Path.Combine(_root, "proc");

    public string Cgroup => Path.Combine(_root, "cgroup");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    public void Task(
        int tgid, int pid, string comm, int parent, char state = 'S', uint flags = 0x400040, long user = 0,
        long system = 0, long start = 1, uint uid = 0, string? cgroup = "/")
    {
        var folder = $"proc/{tgid}/task/{pid}";
        Write($"{folder}/stat", $"{pid} ({comm}) {state} {parent} 1 1 0 -1 {flags} 0 0 0 0 {user} {system} "
            + $"0 0 20 0 1 0 {start} 1 2 3\n");
        Write($"{folder}/status", $"Name:\tx\nUid:\t{uid}\t0\t0\t0\nGid:\t{uid}\t0\t0\t0\n");
        Directory.CreateDirectory(Path.Combine(Proc, $"{tgid}", "fd"));
        if (cgroup is not null)
        {
            Write($"{folder}/cgroup", $"4:memory:/x\n0::{cgroup}\n");
        }
    }

    public void Open(int tgid, int fd, string target)
    {
        File.CreateSymbolicLink(Path.Combine(Proc, $"{tgid}", "fd", $"{fd}"), target);
    }

    public void End(int tgid) => Directory.Delete(Path.Combine(Proc, $"{tgid}"), recursive: true);

    public void RemoveCgroup(string path) => Directory.Delete(Cgroup + path, recursive: true);

    public void Write(string path, string text)
    {
        var whole = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(whole)!);
        File.WriteAllText(whole, text);
    }
}
