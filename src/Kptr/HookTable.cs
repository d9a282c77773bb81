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
    private readonly ConcurrentDictionary<string, Attached> _attached = new();
    private readonly ConcurrentDictionary<string, ulong> _addresses = new();
    private long _lastFunc = -1;

    /// <summary>The hooks that this kernel has.</summary>
    internal HookNames Names { get; } = new(core.Spec.Types);

    internal void Add(BpfLink link) => Change(link.Hook, now => now with { Links = now.Links.Add(link) });

    internal void Remove(BpfLink link) => Change(link.Hook, now => now with { Links = now.Links.Remove(link) });

    internal HookHandler Add(HookShape shape, int arity, HookHandler.HookCall call)
    {
        var handler = new HookHandler(this, shape.Name, shape.Kinds, arity, call);
        Change(shape.Name, now => now with { Handlers = now.Handlers.Add(handler) });
        return handler;
    }

    internal void Remove(HookHandler handler)
    {
        if (AttachedTo(handler.Hook).Handlers.Contains(handler))
        {
            Change(handler.Hook, now => now with { Handlers = now.Handlers.Remove(handler) });
        }
    }

    /// <summary>
    /// Runs the programs attached to a tracepoint, in the order they were attached, and tells the handlers then.
    /// </summary>
    public void Fire(string tracepoint, ReadOnlySpan<ulong> args)
    {
        if (!_attached.TryGetValue(tracepoint, out var attached))
        {
            return;
        }

        try
        {
            foreach (var link in attached.Links)
            {
                if (link.Kind != HookKinds.Function)
                {
                    link.Program.RunHook(args, new(args.Length, Cookie: link.Cookie));
                }
            }
        }
        finally
        {
            Tell(attached.Handlers, args, HookKinds.Tracepoint);
        }
    }

    /// <inheritdoc/>
    public long Ask(string hook, ReadOnlySpan<ulong> args) =>
        _attached.ContainsKey(hook) ? Call(hook, args, null) : 0;

    /// <summary>Runs the programs attached to an event, each with a copy of its record as context.</summary>
    internal void FireEvent(string name, ReadOnlySpan<byte> record)
    {
        foreach (var link in AttachedTo(name).Links)
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
        var attached = AttachedTo(function);
        var links = attached.Links.RemoveAll(static l => l.Kind == HookKinds.Tracepoint);
        var address = AddressOf(function);
        foreach (var link in links.Where(l => l.Place == LinkPlace.Entry))
        {
            RunAt(link, args, null, address);
        }

        Tell(attached.Handlers, args, HookKinds.Function);
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

    private void Tell(ImmutableArray<HookHandler> handlers, ReadOnlySpan<ulong> args, HookKinds kind)
    {
        foreach (var handler in handlers)
        {
            if ((handler.Kinds & kind) != 0)
            {
                handler.Tell(core, args);
            }
        }
    }

    private Attached AttachedTo(string hook) => _attached.GetValueOrDefault(hook, Attached.Nothing);

    private void Change(string hook, Func<Attached, Attached> change)
    {
        if (_attached.AddOrUpdate(hook, _ => change(Attached.Nothing), (_, now) => change(now).Settled()).IsEmpty)
        {
            // A hook that somebody came back to meanwhile has other content, and stays.
            _attached.TryRemove(new(hook, Attached.Nothing));
        }
    }

    private static long RunAt(BpfLink link, ReadOnlySpan<ulong> args, long? result, ulong address)
    {
        var raised = new ProgEvent(args.Length, result is not null, address, link.Cookie);
        return link.Program.Spec.Type == ProgType.Kprobe
            ? link.Program.RunEvent(ProbeRegs.Of(args, result ?? 0, address), raised).ReturnValue
            : (int)link.Program.RunHook(result is { } value ? [.. args, (ulong)value] : args, raised).ReturnValue;
    }

    /// <summary>What is at one hook, in the order it came: found at once by whoever passes it.</summary>
    private sealed record Attached(ImmutableArray<BpfLink> Links, ImmutableArray<HookHandler> Handlers)
    {
        internal static Attached Nothing { get; } = new([], []);

        internal bool IsEmpty => Links.IsEmpty && Handlers.IsEmpty;

        internal Attached Settled() => IsEmpty ? Nothing : this;
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
