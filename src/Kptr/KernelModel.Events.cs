using Kptr.Objects;

namespace Kptr;

// Hooks: passing them, and handlers in C# that are told.
public sealed partial class KernelModel
{
    /// <summary>Passes a tracepoint: runs every program attached to it, and then every handler.</summary>
    /// <param name="hook">Its name (<c>sched_switch</c>).</param>
    /// <param name="args">Its arguments as registers; objects by <see cref="KernelObject.Address"/>.</param>
    /// <exception cref="ArgumentException">This kernel has no such tracepoint, and nobody declared it.</exception>
    public void Raise(string hook, params ReadOnlySpan<ulong> args)
    {
        ArgumentException.ThrowIfNullOrEmpty(hook);
        _hooks.Names.Require(hook, HookKinds.Tracepoint);
        _hooks.Fire(hook, args);
    }

    /// <summary>
    /// Calls a traced function or an LSM hook, with all programs at its entry, in its place and at its exit.
    /// </summary>
    /// <param name="function">Its name; of an LSM hook the bare one (<c>file_open</c>).</param>
    /// <param name="args">Its arguments as registers; objects by <see cref="KernelObject.Address"/>.</param>
    /// <param name="body">What it does itself; null for nothing, which gives 0.</param>
    /// <returns>
    /// What it returns: the first non-zero answer of an LSM or <c>fmod_ret</c> program, which keeps those behind it and
    /// the body from running; else the body's.
    /// </returns>
    /// <exception cref="ArgumentException">This kernel has no such function, and nobody declared it.</exception>
    public long Call(string function, ReadOnlySpan<ulong> args, Func<long>? body = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(function);
        _hooks.Names.Require(function, HookKinds.Function);
        return _hooks.Call(function, args, body);
    }

    /// <summary>
    /// An event happens whose programs get a record of bytes: a tracepoint's (<c>tp/</c>), a perf
    /// event's, a probe's registers. Handlers in C# are not told.
    /// </summary>
    /// <param name="name">What the programs are attached to (<c>sched/sched_switch</c>).</param>
    /// <param name="record">The record, as the event's format has it.</param>
    /// <exception cref="ArgumentException">The name does not end with a tracepoint's, and nobody declared
    /// it.</exception>
    public void RaiseEvent(string name, ReadOnlySpan<byte> record)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        _hooks.Names.RequireEvent(name);
        _hooks.FireEvent(name, record);
    }

    /// <summary>
    /// Names a hook that the kernel's types do not have: an event of a trace or of a module, a static function.
    /// Programs can be attached to it, and it can be raised and called.
    /// </summary>
    /// <param name="name">Its name, at most 511 characters; declaring it again changes nothing.</param>
    /// <exception cref="ArgumentException">It is empty or longer.</exception>
    public void DeclareHook(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        _hooks.Names.Declare(name);
    }

    /// <summary>Calls a handler whenever the kernel passes a hook.</summary>
    /// <param name="hook">
    /// A tracepoint, LSM hook or function by its name; where a tracepoint and a function have one name, the tracepoint,
    /// unless a section's prefix says which (<c>fentry/consume_skb</c>).
    /// </param>
    /// <param name="handler">
    /// Takes the hook's first arguments, as many as it wants, and of a function those it is called with: numbers of the
    /// same size and sign, enums, pointers to objects of the model as <see cref="TaskStruct"/>,
    /// <see cref="Cgroup"/> and so on (null where there is no live object), <c>char *</c> as a string, and any pointer
    /// as its address.
    /// </param>
    /// <returns>The registration: dispose it, on any thread and also inside a handler, to end it.</returns>
    /// <remarks>
    /// Runs on the thread that passes the hook, with no lock of Kptr held: behind all programs at a tracepoint, and at
    /// a function behind the programs at its entry and before those that may answer for it. Handlers run in the order
    /// they were added; one that is added meanwhile is told from the next time on. What a handler throws keeps nobody
    /// else from being told: the next <see cref="KernelCore.Quiesce"/> throws it. Handlers that raise hooks inside each
    /// other go 32 deep. A hook of <see cref="DeclareHook"/> has no types: there the handler's own are believed.
    /// </remarks>
    /// <exception cref="ArgumentException">The kernel has no such hook (the message lists near names), or its arguments
    /// are of other types.</exception>
    public IDisposable On(string hook, Action handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return _hooks.Add(ShapeOf(hook), 0, _ => handler());
    }

    /// <inheritdoc cref="On(string, Action)"/>
    public IDisposable On<T1>(string hook, Action<T1> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        var shape = ShapeOf(hook);
        var read1 = shape.Reader<T1>(0);
        return _hooks.Add(shape, 1, a => handler(read1(a[0])));
    }

    /// <inheritdoc cref="On(string, Action)"/>
    public IDisposable On<T1, T2>(string hook, Action<T1, T2> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        var shape = ShapeOf(hook);
        var (read1, read2) = (shape.Reader<T1>(0), shape.Reader<T2>(1));
        return _hooks.Add(shape, 2, a => handler(read1(a[0]), read2(a[1])));
    }

    /// <inheritdoc cref="On(string, Action)"/>
    public IDisposable On<T1, T2, T3>(string hook, Action<T1, T2, T3> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        var shape = ShapeOf(hook);
        var (read1, read2, read3) = (shape.Reader<T1>(0), shape.Reader<T2>(1), shape.Reader<T3>(2));
        return _hooks.Add(shape, 3, a => handler(read1(a[0]), read2(a[1]), read3(a[2])));
    }

    /// <inheritdoc cref="On(string, Action)"/>
    public IDisposable On<T1, T2, T3, T4>(string hook, Action<T1, T2, T3, T4> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        var shape = ShapeOf(hook);
        var (read1, read2) = (shape.Reader<T1>(0), shape.Reader<T2>(1));
        var (read3, read4) = (shape.Reader<T3>(2), shape.Reader<T4>(3));
        return _hooks.Add(shape, 4, a => handler(read1(a[0]), read2(a[1]), read3(a[2]), read4(a[3])));
    }

    /// <inheritdoc cref="On(string, Action)"/>
    public IDisposable On<T1, T2, T3, T4, T5>(string hook, Action<T1, T2, T3, T4, T5> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        var shape = ShapeOf(hook);
        var (read1, read2, read3) = (shape.Reader<T1>(0), shape.Reader<T2>(1), shape.Reader<T3>(2));
        var (read4, read5) = (shape.Reader<T4>(3), shape.Reader<T5>(4));
        return _hooks.Add(shape, 5, a => handler(read1(a[0]), read2(a[1]), read3(a[2]), read4(a[3]), read5(a[4])));
    }

    private HookShape ShapeOf(string hook)
    {
        ArgumentException.ThrowIfNullOrEmpty(hook);
        return HookShape.Find(this, _hooks.Names, hook);
    }
}
