using System.Collections.Concurrent;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>The initialised timers and work items of one kernel, by the address of their field.</summary>
/// <remarks>
/// Kernel: <c>struct bpf_async_cb</c>, to which the first word of the field points (kernel/bpf/helpers.c, 6.12).
/// </remarks>
internal sealed class AsyncFieldTable(KernelCore core) : IAsyncFields
{
    private readonly ConcurrentDictionary<ulong, AsyncField> _fields = new();

    /// <summary>How many are initialised.</summary>
    internal int Count => _fields.Count;

    public IDisposable? Cancel(BpfMap map, BtfField field, ulong address)
    {
        if (!_fields.TryRemove(address, out var old))
        {
            return null;
        }

        old.Kill();
        return old;
    }

    internal AsyncField? Find(ulong address) => _fields.GetValueOrDefault(address);

    /// <summary>Initialises a field; the map must have a user who can end what is started.</summary>
    internal Errno Init(BpfMap map, ulong address, bool isTimer)
    {
        var kind = isTimer ? BtfFieldKind.Timer : BtfFieldKind.Workqueue;
        if (map.Record.Fields.FirstOrDefault(f => f.Kind == kind) is not { } field)
        {
            return Errno.EINVAL;
        }

        if (core.Context == ExecContext.Nmi)
        {
            return Errno.EOPNOTSUPP;
        }

        map.AsyncFields = this;
        var made = new AsyncField(core, map, address - (ulong)field.OffsetBytes, isTimer);
        if (!_fields.TryAdd(address, made))
        {
            made.Dispose();
            return Errno.EBUSY;
        }

        if (map.UserRefCount > 0)
        {
            return Errno.None;
        }

        Cancel(map, field, address)?.Dispose();
        return Errno.EPERM;
    }

    internal Errno SetCallback(ProgContext ctx, ulong address, ulong callback)
    {
        if (core.Context == ExecContext.Nmi)
        {
            return Errno.EOPNOTSUPP;
        }

        if (Find(address) is not { } field)
        {
            return Errno.EINVAL;
        }

        if (field.Map.UserRefCount == 0)
        {
            return Errno.EPERM;
        }

        field.SetCallback(ctx.Callbacks.Defer(callback), ctx.Program);
        return Errno.None;
    }
}
