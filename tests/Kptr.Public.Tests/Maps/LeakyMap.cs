using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Maps;

/// <summary>A value of the map below.</summary>
public struct Pinned
{
    public ulong Seen;
    public Kptr<TaskStruct> Task;
}

/// <summary>A map type that hands out whatever its base lends it, and answers look-ups as it is told.</summary>
public sealed class LeakyMap : BpfMap
{
    public LeakyMap(KernelCore core, BpfMapType type = BpfMapType.Hash)
        : base(core, StructSpec.Of<int, Pinned>(core, "leaky", type, 4))
    {
        Values = CreatePool(4);
    }

    public ValuePool Values { get; }

    /// <summary>What a look-up finds.</summary>
    public ulong Found { get; set; }

    /// <summary>The key that a walk shows.</summary>
    public ulong FoundKey { get; set; }

    public override MapCensus TakeCensus() => base.TakeCensus();

    public void Init(ValuePool pool, int slot, int cpu = 0) =>
        InitValue(pool, slot, new byte[UserValueSize], MapCall.User(cpu));

    public void Read(ValuePool pool, int slot, int cpu = 0) =>
        ReadValue(new byte[UserValueSize], pool, slot, MapUpdateFlags.Any, MapCall.Program(cpu));

    public void Overwrite(ValuePool pool, int slot)
    {
        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        dying.Overwrite(pool, slot, new byte[UserValueSize], MapUpdateFlags.Any, MapCall.User(0));
    }

    public void Recycle(ValuePool pool, int slot)
    {
        using var dying = new DyingFields(this, DeathPath.Delete);
        dying.Recycle(pool, slot);
    }

    public void Recycle(ulong value)
    {
        using var dying = new DyingFields(this, DeathPath.Delete);
        dying.Recycle(value);
    }

    public void CopyIn(ulong value, MapUpdateFlags flags = MapUpdateFlags.Any) =>
        CopyIn(value, new byte[ValueSize], flags);

    public void CopyOut(ulong value, MapUpdateFlags flags = MapUpdateFlags.Any) =>
        CopyOut(new byte[ValueSize], value, flags);

    public void Later(GracePeriods readers, Action run) => AfterReaders(readers, run, "a test's");

    public void Work(Action run) => QueueWork(run, "a test's");

    public void Zero(ulong value) => ZeroPlain(value);

    public ref T At<T>(ulong value)
        where T : unmanaged => ref ValueAt<T>(value);

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) => false;

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => Found;

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        Errno.E2BIG;

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.ENOENT;

    protected override long VisitValues(MapElemCallback callback, in MapCall caller) => (long)callback(FoundKey, Found);
}
