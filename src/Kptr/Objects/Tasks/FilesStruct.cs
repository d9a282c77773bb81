using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>An open descriptor of a process.</summary>
/// <param name="Fd">Its number.</param>
/// <param name="File">The open file; no reference is taken.</param>
public readonly record struct FileDescriptor(int Fd, KernelFile File);

/// <summary>The open files of a process (<c>files_struct</c>); its count is that of the tasks that share it.</summary>
/// <remarks>
/// Each descriptor holds a reference on its file. Closed with the last task that uses it. Safe for any number of
/// threads. Kernel: <c>fs/file.c</c>, 6.12; descriptors that close when a program is executed are not modelled.
/// </remarks>
public sealed class FilesStruct : KernelObject
{
    /// <summary>No descriptor reaches this number (<c>sysctl_nr_open</c>).</summary>
    public const int FdMax = 1024 * 1024;

    private const string Users = "count.counter";

    // What all tables share in which nothing was opened yet; it stays empty.
    private static readonly SortedList<int, KernelFile> NothingOpen = [];

    private static readonly FieldSpec[] Fields = [FieldSpec.Count(Users), new("next_fd", 4)];
    private readonly RankedLock _lock = new(LockRank.FileTable);
    private volatile SortedList<int, KernelFile> _open = NothingOpen;
    private readonly int _tgid;
    private int _firstFree;

    internal FilesStruct(KernelCore core, int tgid)
        : base(core, core.LayoutOf("files_struct", Fields), Users)
    {
        _tgid = tgid;
        Publish();
    }

    /// <summary>The open descriptors, by rising number; a copy.</summary>
    public ImmutableArray<FileDescriptor> All
    {
        get
        {
            using (_lock.Enter())
            {
                return [.. _open.Select(f => new FileDescriptor(f.Key, f.Value))];
            }
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders() =>
        Enumerable.Repeat(new KernelHolder("files of a task"), Math.Max(0, LiveCount));

    private protected override bool HasIntrinsicHolders => LiveCount > 0;

    /// <summary>The file of a descriptor; null where it is not open. No reference is taken.</summary>
    public KernelFile? Find(int fd)
    {
        using (_lock.Enter())
        {
            return _open.GetValueOrDefault(fd);
        }
    }

    /// <summary>
    /// Opens a descriptor of a file, which takes a reference of its own on it: who made the file may close it
    /// (<see cref="KernelFile.Close"/>). Once no task uses the table it is a reported fault and opens nothing.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="fd">The number, which is closed first where it is open (<c>dup2</c>); null for the lowest that is
    /// free.</param>
    /// <returns>The number; -1 where nobody uses the table any more.</returns>
    /// <exception cref="ArgumentException">The file is gone or another kernel's.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative or not below <see cref="FdMax"/>.
    /// </exception>
    /// <exception cref="InvalidOperationException">All numbers are in use.</exception>
    public int Open(KernelFile file, int? fd = null)
    {
        Core.CheckOwn(file);
        if (fd is < 0 or >= FdMax)
        {
            throw new ArgumentOutOfRangeException(nameof(fd), fd, $"descriptors are 0 to {FdMax - 1}");
        }

        if (!file.TryAcquireCount())
        {
            throw new ArgumentException("the file is gone", nameof(file));
        }

        bool isGone;
        var number = FdMax;
        KernelFile? old = null;
        using (Core.HoldFaults())
        using (_lock.Enter())
        {
            isGone = LiveCount == 0;
            if (!isGone && (number = fd ?? FirstFreeLocked()) < FdMax)
            {
                _open = _open == NothingOpen ? [] : _open;
                _open.Remove(number, out old);
                _open.Add(number, file);
                file.AddKernelUser(NameOf(number));
                Put("next_fd", (ulong)FirstFreeLocked());
            }
        }

        old?.DropKernelUser(NameOf(number));
        if (isGone || number == FdMax)
        {
            file.ReleaseCount();
        }

        if (isGone)
        {
            Misuse.ReportSpent(this, "used", RefSite.Unknown);
            return -1;
        }

        return number < FdMax ? number : throw new InvalidOperationException($"all {FdMax} descriptors are open");
    }

    /// <summary>Closes a descriptor.</summary>
    /// <returns>False where it is not open.</returns>
    public bool Close(int fd)
    {
        KernelFile? file;
        using (Core.HoldFaults())
        using (_lock.Enter())
        {
            if (!_open.Remove(fd, out file))
            {
                return false;
            }

            _firstFree = Math.Min(_firstFree, fd);
            Put("next_fd", (ulong)_firstFree);
        }

        file.DropKernelUser(NameOf(fd));
        return true;
    }

    /// <summary>Type, process and size.</summary>
    public override string ToString() =>
        $"{TypeName} of process {_tgid} ({_open.Count} open{(IsFreed ? ", freed" : "")})";

    /// <summary>A count for a task that shares it, while the task table's lock keeps it; null once gone.</summary>
    internal FilesStruct? ShareLocked() => Count.TryIncNotZero() == RefCountOutcome.Zero ? null : this;

    /// <summary>A copy with the same files for another process; the caller's count on this one is given back.</summary>
    internal FilesStruct CopyAndRelease(int tgid)
    {
        var copy = new FilesStruct(Core, tgid);
        if (_open == NothingOpen)
        {
            ReleaseCount();
            return copy;
        }

        copy._open = [];
        using (Core.HoldFaults())
        using (_lock.Enter())
        {
            foreach (var (fd, file) in _open)
            {
                Invariant.That(file.Count.TryIncNotZero() != RefCountOutcome.Zero, "an open file has a count");
                file.AddKernelUser(copy.NameOf(fd));
                copy._open.Add(fd, file); // nobody else sees the copy yet
            }

            copy.Put("next_fd", (ulong)copy.FirstFreeLocked());
        }

        ReleaseCount();
        return copy;
    }

    /// <inheritdoc/>
    protected override void OnLastRelease()
    {
        (int Fd, KernelFile File)[] files;
        using (_lock.Enter())
        {
            files = _open == NothingOpen ? [] : [.. _open.Select(f => (f.Key, f.Value))];
            _open = NothingOpen;
        }

        foreach (var (fd, file) in files)
        {
            file.DropKernelUser(NameOf(fd));
        }

        FreeNow(); // put_files_struct waits for nobody
    }

    private string NameOf(int fd) => $"descriptor {fd} of process {_tgid}";

    private int FirstFreeLocked()
    {
        while (_open.ContainsKey(_firstFree))
        {
            _firstFree++;
        }

        return _firstFree;
    }
}
