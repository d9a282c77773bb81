namespace Kptr.Objects;

/// <summary>An open file; its count is <c>f_count</c>.</summary>
public sealed class KernelFile : KernelObject
{
    private const string CountField = "f_count.counter";
    private static readonly FieldSpec[] Fields = [
        FieldSpec.Count(CountField, 8), new("f_inode", 8), new("f_flags", 4), new("f_mode", 4),
    ];
    private readonly KernelUsers _users = new();
    private int _isClosed;

    /// <summary>
    /// Opens a file; its one reference belongs to the kernel (a descriptor table) until <see cref="Close"/>.
    /// </summary>
    /// <param name="core">The kernel.</param>
    /// <param name="path">Its path, at most 4095 characters.</param>
    /// <exception cref="ArgumentException">The path is longer.</exception>
    public KernelFile(KernelCore core, string path)
        : this(NameLimits.Check(path, NameLimits.PathMax), core ?? throw new ArgumentNullException(nameof(core)))
    {
    }

    // The path is checked before there is an object to give back.
    private KernelFile(string path, KernelCore core)
        : base(core, core.LayoutOf("file", Fields), CountField)
    {
        Path = path;
        _users.Add("descriptor table");
        Publish();
    }

    /// <summary>The path it was opened by.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders() => _users.Holders();

    /// <summary>The descriptor is closed: the kernel drops its reference. Once.</summary>
    /// <remarks>A second time it drops nothing and is a reported fault.</remarks>
    public void Close()
    {
        if (!TryClose())
        {
            ReportSecondClose();
        }
    }

    /// <summary>Closes it; false when that was done before.</summary>
    internal bool TryClose()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) != 0)
        {
            return false;
        }

        DropKernelUser("descriptor table");
        return true;
    }

    /// <summary>Type and path.</summary>
    public override string ToString() => $"file \"{Path}\"";

    internal void AddKernelUser(string what) => _users.Add(what);

    internal void DropKernelUser(string what)
    {
        _users.Remove(what);
        ReleaseCount();
    }
}
