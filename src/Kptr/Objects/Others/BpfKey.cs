namespace Kptr.Objects;

/// <summary>A <c>struct bpf_key</c>: a look-up of a key, which owns a reference on the key if it is a user's.</summary>
public sealed class BpfKey : KernelObject
{
    private const string CountField = "kptr.count";
    private const string KeyUsage = "usage.refs.counter";
    private static readonly FieldSpec[] Fields = [new("key", 8), new("has_ref", 1), FieldSpec.Count(CountField)];
    private static readonly FieldSpec[] KeyFields = [new(KeyUsage, 4), new("serial", 4)];
    private readonly KernelStruct _key;

    /// <summary>Looks a key up; the one reference is the caller's (see <see cref="KernelRef.Own{T}"/>).</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="serial">The key's serial number.</param>
    /// <param name="isSystemKey">Whether it is one of the system's, which are never counted.</param>
    public BpfKey(KernelCore core, int serial, bool isSystemKey)
        : base(core ?? throw new ArgumentNullException(nameof(core)), core.LayoutOf("bpf_key", Fields), CountField)
    {
        Serial = serial;
        _key = new(core, "key", KeyFields);
        _key.Put("serial", (ulong)serial);
        _key.Put(KeyUsage, 1);
        Put("key", _key.Address);
        Put("has_ref", isSystemKey ? 0ul : 1);
        Publish();
    }

    /// <summary>The key's serial number.</summary>
    public int Serial { get; }

    /// <summary>Type and serial number.</summary>
    public override string ToString() => $"bpf_key {Serial}";

    /// <inheritdoc/>
    protected override void OnLastRelease() => Free();

    /// <inheritdoc/>
    protected override void OnFree() => _key.Free();
}
