namespace Kptr.Objects;

/// <summary>An open file; its count is <c>f_count</c>.</summary>
public sealed class KernelFile : KernelObject
{
    private const ulong Unconnected = 1; // SS_UNCONNECTED
    private const ulong Connected = 3; // SS_CONNECTED
    private const string CountField = "f_count.counter";
    private static readonly FieldSpec[] Fields = [FieldSpec.Count(CountField, 8), new("private_data", 8)];

    private static readonly FieldSpec[] SocketFields = [new("state", 4), new("type", 2), new("file", 8), new("sk", 8)];
    private readonly KernelStruct? _socket;
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

    /// <summary>
    /// Opens a file of a socket, which is closed with the last reference on the file; as any file of
    /// <see cref="KernelFile(KernelCore, string)"/> otherwise.
    /// </summary>
    /// <param name="core">The kernel.</param>
    /// <param name="socket">The socket, which has no other file.</param>
    /// <exception cref="ArgumentException">The socket is another kernel's.</exception>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    /// <remarks>Kernel: <c>sock_alloc_file</c> and <c>sock_close</c> (net/socket.c, 6.12).</remarks>
    public KernelFile(KernelCore core, Sock socket)
        : this(PathOf(core, socket), core, socket)
    {
    }

    // The path is checked before there is an object to give back.
    private KernelFile(string path, KernelCore core, Sock? socket = null)
        : base(core, core.LayoutOf("file", Fields), CountField)
    {
        Path = path;
        _users.Add("descriptor table");
        if (socket is not null)
        {
            Socket = socket;
            _socket = new(core, "socket", SocketFields);
            _socket.Put("state", socket.Tuple.DestPort == 0 ? Unconnected : Connected);
            _socket.Put("type", socket.TypeNumber);
            _socket.Put("file", Address);
            _socket.Put("sk", socket.Address);
            Put("private_data", _socket.Address);
        }

        Publish();
    }

    /// <summary>The path it was opened by; <c>socket:[COOKIE]</c> of a socket.</summary>
    public string Path { get; }

    /// <summary>Its socket; null for other files.</summary>
    public Sock? Socket { get; }

    /// <summary>Address of its <c>struct socket</c>; 0 for files that are none.</summary>
    internal ulong SocketAddress => _socket?.Address ?? 0;

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

    /// <inheritdoc/>
    protected override void OnLastRelease()
    {
        Socket?.TryClose();
        base.OnLastRelease();
    }

    /// <inheritdoc/>
    protected override void OnFree() => _socket?.Free();

    private static string PathOf(KernelCore core, Sock socket)
    {
        ArgumentNullException.ThrowIfNull(core);
        core.CheckOwn(socket);
        ObjectDisposedException.ThrowIf(socket.IsClosed, socket);
        return $"socket:[{socket.Cookie}]";
    }

    internal void AddKernelUser(string what) => _users.Add(what);

    internal void DropKernelUser(string what)
    {
        _users.Remove(what);
        ReleaseCount();
    }
}
