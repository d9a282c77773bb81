using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.ApiFuzz;

/// <summary>What a handler of the caller's own throws: allowed to come back through any call that takes one.</summary>
public sealed class HandlerException : Exception;

/// <summary>A value with a kptr.</summary>
[SuppressMessage("Design", "CA1051", Justification = "the struct is the value in memory")]
public struct TaskValue
{
    public Kptr<TaskStruct> Task;
    public long Seen;
}

/// <summary>A value with two kptrs and a lock.</summary>
[SuppressMessage("Design", "CA1051", Justification = "the struct is the value in memory")]
public struct LockedValue
{
    public BpfSpinLock Lock;
    public Kptr<Cgroup> Cgroup;
    public Kptr<Cpumask> Mask;
    public int Plain;
}

/// <summary>A value of an odd size.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public record struct OddValue(long A, short B);

/// <summary>A large value.</summary>
[StructLayout(LayoutKind.Sequential, Size = 5000)]
public record struct LargeValue(long A);

/// <summary>An object of the caller's own.</summary>
public sealed class Widget(KernelCore core) : KernelObject(core, "widget", "usage.refs.counter")
{
    public const string Declaration =
        "struct widget { u32 colour; u64 parts[4]; struct widget *next; refcount_t usage; };";
}

/// <summary>Kfuncs of the caller's own.</summary>
public static class WidgetKfuncs
{
    [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "struct widget *widget_create(u32 colour)")]
    public static KernelRef<Widget>? Create(KernelCore core, uint colour)
    {
        var widget = new Widget(core);
        widget.Write("colour", colour);
        return KernelRef.Own(widget);
    }

    [Kfunc("widget_put", KfuncFlags.Release, DestructorOf = "widget", Prototype = "void widget_put(struct widget *w)")]
    public static void Put(KernelRef<Widget> widget) => widget.Release();

    [Kfunc("widget_copy", KfuncFlags.None,
        Prototype = "int widget_copy(void *to, u32 to__sz, const void *from, u32 from__sz)")]
    public static int Copy(ProgContext ctx, ulong to, uint toSize, ulong from, uint fromSize)
    {
        ArgumentNullException.ThrowIfNull(ctx);
        ctx.ReadMemory(from, (int)fromSize).CopyTo(ctx.WriteMemory(to, (int)toSize));
        return 0;
    }
}

/// <summary>
/// A map type of the caller's own that leads everything its base lends it outside, and answers as it is told.
/// </summary>
public sealed class OpenMap : BpfMap, ITypedMap<int, TaskValue>, ITypedMap<long, long>
{
    private readonly List<ValuePool> _pools = [];

    public OpenMap(KernelCore core, MapSpec spec)
        : base(core, spec)
    {
        if (spec.MaxEntries is > 0 and < 4096)
        {
            _pools.Add(CreatePool((int)spec.MaxEntries));
        }
    }

    /// <summary>What a search gives.</summary>
    public ulong Found { get; set; }

    BpfMap ITypedMap<int, TaskValue>.Map => this;

    BpfMap ITypedMap<long, long>.Map => this;

    public IReadOnlyList<ValuePool> PoolsOfItsOwn
    {
        get
        {
            lock (_pools)
            {
                return [.. _pools];
            }
        }
    }

    public ValuePool Make(int slotCount)
    {
        var pool = CreatePool(slotCount);
        lock (_pools)
        {
            _pools.Add(pool);
        }

        return pool;
    }

    public void Init(ValuePool pool, int slot, byte[]? value, MapCall caller) => InitValue(pool, slot, value, caller);

    public void Read(byte[]? target, ValuePool pool, int slot, MapUpdateFlags flags, MapCall caller) =>
        ReadValue(target, pool, slot, flags, caller);

    public Errno ReadByKey(byte[]? key, byte[]? value, MapUpdateFlags flags, MapCall caller) =>
        base.ReadValue(key, value, flags, caller);

    public void In(ulong value, byte[]? source, MapUpdateFlags flags) => CopyIn(value, source, flags);

    public void Out(byte[]? target, ulong value, MapUpdateFlags flags) => CopyOut(target, value, flags);

    public void Zero(ulong value) => ZeroPlain(value);

    public ulong Call(MapElemCallback callback, byte[]? key, ulong value) => CallBack(callback, key, value);

    public long LongAt(ulong value)
    {
        ref var at = ref ValueAt<long>(value);
        return System.Runtime.CompilerServices.Unsafe.IsNullRef(ref at) ? 0 : ++at;
    }

    public bool TaskAt(ulong value, KernelRef<TaskStruct>? next)
    {
        ref var at = ref ValueAt<TaskValue>(value);
        return !System.Runtime.CompilerServices.Unsafe.IsNullRef(ref at) && at.Task.Exchange(next) is { } old
            && HandMade.Drop(old);
    }

    public void EndUsers() => ReleaseUserRef();

    public void End(ValuePool pool, int slot, DeathPath path)
    {
        using var dying = new DyingFields(this, path);
        dying.Recycle(pool, slot);
    }

    public void EndAt(ulong value, DeathPath path)
    {
        using var dying = new DyingFields(this, path);
        dying.Recycle(value);
    }

    public void WriteOver(ValuePool pool, int slot, byte[]? value, MapUpdateFlags flags, MapCall caller, DeathPath path)
    {
        using var dying = new DyingFields(this, path);
        dying.Overwrite(pool, slot, value, flags, caller);
    }

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        key.Clear();
        return (slot & 1) == 0;
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => Found;

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            Errno.E2BIG;

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.ENOENT;

    protected override long VisitValues(MapElemCallback callback, in MapCall caller)
    {
        callback(Found, Found);
        return 1;
    }
}

/// <summary>Names a map that it is no view of.</summary>
public sealed class FalseView(BpfMap map) : ITypedMap<int, LargeValue>, ITypedMap<int, TaskValue>, ITypedMap<long, long>
{
    public BpfMap Map { get; } = map;
}

/// <summary>
/// Calls that reflection cannot make, or hardly ever would: on kptrs where they are, and at the end of values.
/// </summary>
public static class HandMade
{
    public static void DyingFieldsRecycle(BpfMap map, DeathPath path, ulong value, int times)
    {
        var dying = new DyingFields(map, path);
        for (var i = 0; i < Math.Clamp(times, 0, 10); i++)
        {
            dying.Recycle(value);
        }

        dying.Dispose();
        dying.Dispose();
    }

    public static void DyingFieldsForeignPool(BpfMap map, DeathPath path, ValuePool pool, int slot, byte[]? value)
    {
        using var dying = new DyingFields(map, path);
        dying.Overwrite(pool, slot, value, MapUpdateFlags.Any, MapCall.User(0));
        dying.Recycle(pool, slot);
    }

    public static bool KptrInHash(HashMap<int, TaskValue> map, int key, KernelRef<TaskStruct>? next)
    {
        ArgumentNullException.ThrowIfNull(map);
        using var reader = map.Core.Rcu.ReadLock();
        ref var value = ref map.LookupOrInit(key);
        _ = value.Task.Peek()?.Pid;
        value.Seen++;
        return value.Task.Exchange(next) is { } old && Drop(old);
    }

    public static bool KptrInArray(
        ArrayMap<LockedValue> map, uint index, KernelRef<Cgroup>? next, KernelRef<Cpumask>? mask)
    {
        ArgumentNullException.ThrowIfNull(map);
        using var reader = map.Core.Rcu.ReadLock();
        ref var value = ref map[index];
        _ = value.Cgroup.Peek()?.Path;
        value.Plain++;
        value.Mask.Exchange(mask)?.Release();
        return value.Cgroup.Exchange(next) is { } old && Drop(old);
    }

    public static bool KptrInStorage(
        LocalStorageMap<TaskStruct, TaskValue> map, TaskStruct owner, KernelRef<TaskStruct>? next)
    {
        ArgumentNullException.ThrowIfNull(map);
        using var reader = map.Core.Rcu.ReadLock();
        ref var value = ref map.LookupOrInit(owner);
        return !System.Runtime.CompilerServices.Unsafe.IsNullRef(ref value)
            && value.Task.Exchange(next) is { } old && Drop(old);
    }

    public static void RcuInReader(KernelCore core, KernelCore other)
    {
        ArgumentNullException.ThrowIfNull(core);
        ArgumentNullException.ThrowIfNull(other);
        using var outer = core.Rcu.ReadLock();
        using var inner = other.RcuTrace.ReadLock();
        core.Work.Step();
        _ = core.Ledger.Snapshot().Entries.Length;
    }

    public static void ScopeDefaults()
    {
        default(RcuReadScope).Dispose();
        default(ContextScope).Dispose();
        default(CurrentTaskScope).Dispose();
    }

    public static void ScopesOutOfOrder(KernelCore core, ExecContext context, TaskStruct task)
    {
        ArgumentNullException.ThrowIfNull(core);
        var first = core.EnterContext(context);
        var second = core.Tasks.Run(task);
        var third = core.Rcu.ReadLock();
        first.Dispose();
        second.Dispose();
        third.Dispose();
        third.Dispose();
    }

    public static void ProgramScopesOutOfOrder(KernelCore core)
    {
        ArgumentNullException.ThrowIfNull(core);
        var outer = core.EnterProgram("outer");
        var inner = core.EnterProgram("inner");
        try
        {
            outer.Dispose();
        }
        finally
        {
            inner.Dispose();
            outer.Dispose();
        }
    }

    internal static bool Drop<T>(KernelRef<T> old)
        where T : KernelObject
    {
        old.Release();
        return true;
    }
}
