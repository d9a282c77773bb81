using System.Collections.Concurrent;
using System.Collections.Immutable;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr;

/// <summary>
/// Which programs are attached to what and which handlers are told, and how a tracepoint, a function or an event
/// runs them.
/// </summary>
internal sealed class HookTable(KernelCore core) : IHookSink
{
    private const ulong TextStart = 0xffff_ffff_8100_0000;
    private const ulong FuncBytes = 64;
    private readonly ConcurrentDictionary<string, ImmutableArray<BpfLink>> _links = new();
    private readonly ConcurrentDictionary<string, ImmutableArray<HookHandler>> _handlers = new();
    private readonly ConcurrentDictionary<string, ulong> _addresses = new();
    private long _lastFunc = -1;

    /// <summary>The hooks that this kernel has.</summary>
    internal HookNames Names { get; } = new(core.Spec.Types);

    internal void Add(BpfLink link) =>
        _links.AddOrUpdate(link.Hook, _ => [link], (_, all) => all.Add(link));

    internal void Remove(BpfLink link)
    {
        if (_links.AddOrUpdate(link.Hook, _ => [], (_, all) => all.Remove(link)).IsEmpty)
        {
            // A hook that programs came back to meanwhile has another array, and stays.
            _links.TryRemove(new(link.Hook, []));
        }
    }

    internal HookHandler Add(HookShape shape, int arity, HookHandler.HookCall call)
    {
        var handler = new HookHandler(this, shape.Name, shape.Kinds, arity, call);
        _handlers.AddOrUpdate(shape.Name, _ => [handler], (_, all) => all.Add(handler));
        return handler;
    }

    internal void Remove(HookHandler handler)
    {
        if (_handlers.TryGetValue(handler.Hook, out var all) && all.Contains(handler)
            && _handlers.AddOrUpdate(handler.Hook, _ => [], (_, now) => now.Remove(handler)).IsEmpty)
        {
            _handlers.TryRemove(new(handler.Hook, []));
        }
    }

    /// <summary>
    /// Runs the programs attached to a tracepoint, in the order they were attached, and tells the handlers then.
    /// </summary>
    public void Fire(string tracepoint, ReadOnlySpan<ulong> args)
    {
        try
        {
            foreach (var link in LinksOf(tracepoint))
            {
                if (link.Kind != HookKinds.Function)
                {
                    link.Program.RunHook(args, new(args.Length, Cookie: link.Cookie));
                }
            }
        }
        finally
        {
            Tell(tracepoint, args, HookKinds.Tracepoint);
        }
    }

    /// <inheritdoc/>
    public long Ask(string hook, ReadOnlySpan<ulong> args) =>
        _links.ContainsKey(hook) || _handlers.ContainsKey(hook) ? Call(hook, args, null) : 0;

    /// <summary>Runs the programs attached to an event, each with a copy of its record as context.</summary>
    internal void FireEvent(string name, ReadOnlySpan<byte> record)
    {
        foreach (var link in LinksOf(name))
        {
            link.Program.RunEvent(record, new(0, Cookie: link.Cookie));
        }
    }

    /// <summary>
    /// Calls a function: entry programs, handlers, programs that may answer in its place, its body, exit programs.
    /// </summary>
    /// <remarks>
    /// As the trampoline does it: the first non-zero answer of a <c>fmod_ret</c> or LSM program is the function's, and
    /// neither the programs after it nor the body run. Kernel: <c>arch_prepare_bpf_trampoline</c>, 6.12.
    /// </remarks>
    internal long Call(string function, ReadOnlySpan<ulong> args, Func<long>? body)
    {
        var links = LinksOf(function).RemoveAll(static l => l.Kind == HookKinds.Tracepoint);
        var address = AddressOf(function);
        foreach (var link in links.Where(l => l.Place == LinkPlace.Entry))
        {
            RunAt(link, args, null, address);
        }

        Tell(function, args, HookKinds.Function);
        var result = 0L;
        var isAnswered = false;
        foreach (var link in links.Where(l => l.Place == LinkPlace.Instead))
        {
            result = RunAt(link, args, 0, address);
            isAnswered = result != 0;
            if (isAnswered)
            {
                break;
            }
        }

        if (!isAnswered && body is not null)
        {
            result = body();
        }

        foreach (var link in links.Where(l => l.Place == LinkPlace.Exit))
        {
            RunAt(link, args, result, address);
        }

        return result;
    }

    /// <summary>
    /// Where a function is, as <c>bpf_get_func_ip</c> says: its own for ever, in the order of first calls.
    /// </summary>
    internal ulong AddressOf(string function) =>
        _addresses.GetOrAdd(function, _ => TextStart + ((ulong)Interlocked.Increment(ref _lastFunc) * FuncBytes));

    private void Tell(string hook, ReadOnlySpan<ulong> args, HookKinds kind)
    {
        foreach (var handler in _handlers.GetValueOrDefault(hook, []))
        {
            if ((handler.Kinds & kind) != 0)
            {
                handler.Tell(core, args);
            }
        }
    }

    private ImmutableArray<BpfLink> LinksOf(string hook) => _links.GetValueOrDefault(hook, []);

    private static long RunAt(BpfLink link, ReadOnlySpan<ulong> args, long? result, ulong address)
    {
        var raised = new ProgEvent(args.Length, result is not null, address, link.Cookie);
        return link.Program.Spec.Type == ProgType.Kprobe
            ? link.Program.RunEvent(ProbeRegs.Of(args, result ?? 0, address), raised).ReturnValue
            : (int)link.Program.RunHook(result is { } value ? [.. args, (ulong)value] : args, raised).ReturnValue;
    }
}

/// <summary>When, in the course of a function, a program runs.</summary>
internal enum LinkPlace
{
    /// <summary>Not at a function, or before it.</summary>
    Entry,

    /// <summary>Before it and perhaps in its place.</summary>
    Instead,

    /// <summary>After it.</summary>
    Exit,
}
