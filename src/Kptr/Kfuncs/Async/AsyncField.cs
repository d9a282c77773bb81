using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>What an initialised <c>bpf_timer</c> or <c>bpf_wq</c> in a map value stands for.</summary>
internal sealed class AsyncField : IDisposable
{
    private readonly KernelCore _core;
    private readonly ulong _value;
    private readonly RankedLock _lock = new(LockRank.AsyncField);
    private Func<ulong, ulong, ulong, ulong>? _callback;
    private ProgObject? _program;
    private volatile bool _isFreed;

    internal AsyncField(KernelCore core, BpfMap map, ulong value, bool isTimer)
    {
        _core = core;
        Map = map;
        _value = value;
        Timer = isTimer ? new KernelTimer(core, Run) : null;
    }

    internal BpfMap Map { get; }

    /// <summary>The timer; null for work.</summary>
    internal KernelTimer? Timer { get; }

    internal bool HasCallback => Volatile.Read(ref _callback) is not null;

    /// <summary>Sets what runs later, and pins its program until another takes its place.</summary>
    /// <remarks>Kernel: <c>cb->prog</c> (<c>struct bpf_async_cb</c>).</remarks>
    internal void SetCallback(Func<ulong, ulong, ulong, ulong>? callback, ProgObject? program = null)
    {
        program?.Hold(Purpose);
        ProgObject? old;
        using (_lock.Enter())
        {
            old = program;
            if (!_isFreed || callback is null)
            {
                Volatile.Write(ref _callback, callback);
                (old, _program) = (_program, program);
            }
        }

        old?.Put(Purpose);
    }

    private string Purpose => $"{(Timer is null ? "work" : "timer")} in map \"{Map.Name}\"";

    /// <summary>Queues the work.</summary>
    internal void Schedule() => _core.Work.Enqueue(static f => ((AsyncField)f).Run(), this, "bpf_wq_work");

    /// <summary>
    /// It never runs again. Calls nothing out, for callers with locks; <see cref="Dispose"/> must follow.
    /// </summary>
    internal void Kill()
    {
        _isFreed = true;
        Timer?.Kill();
    }

    /// <summary>It never runs again. Does not wait for a run on another thread.</summary>
    public void Dispose()
    {
        Kill();
        SetCallback(null);
        Timer?.Free();
    }

    // The key goes by address, as in the kernel; the element may be gone by now, then there is nothing to call for.
    private void Run()
    {
        if (_isFreed || Volatile.Read(ref _callback) is not { } callback)
        {
            return;
        }

        var key = new byte[Map.KeySize];
        if (!MapKeys.TryFind(Map, _value, key))
        {
            return;
        }

        using var reader = _core.Rcu.ReadLock();
        var block = _core.Heap.AllocateBlock("key of a callback", Math.Max(8, key.Length));
        try
        {
            unsafe
            {
                key.CopyTo(new Span<byte>((void*)block, key.Length));
            }

            callback(Map.Address, block, _value);
        }
        finally
        {
            _core.Heap.TryFree(block);
        }
    }
}
