using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Kptr.Execution;

/// <summary>A compiled function of a program: registers <c>r1</c> to <c>r5</c> in, <c>r0</c> out.</summary>
/// <remarks>
/// Its result means nothing where <see cref="Machine.IsEnded"/> is set: then the whole run is over.
/// </remarks>
internal unsafe delegate ulong CompiledFunc(ProgRun run, Machine* m, ulong r1, ulong r2, ulong r3, ulong r4, ulong r5);

/// <summary>A program as native code of the host, function by function. Immutable; any number of runs use it.</summary>
/// <remarks>
/// Compiled code does what handlers do, with registers in locals: memory outside its regions, calls that leave the
/// program, fuel and faults are <see cref="ProgRun"/>'s as ever, asked through <see cref="CompiledCalls"/>.
/// </remarks>
internal sealed class CompiledCode
{
    private readonly CompiledFunc?[] _funcs;

    private CompiledCode(int slots, ulong contextBytes)
    {
        _funcs = new CompiledFunc?[slots];
        ContextBytes = contextBytes;
    }

    /// <summary>How long the context of a run must be, since loads from so much of it are not checked.</summary>
    internal ulong ContextBytes { get; }

    /// <summary>The function that starts at a slot.</summary>
    internal CompiledFunc this[int slot] => _funcs[slot]!;

    /// <summary>Has the host make native code of it now, and not when it is first called.</summary>
    internal void Prepare()
    {
        foreach (var func in _funcs)
        {
            if (func is not null)
            {
                RuntimeHelpers.PrepareDelegate(func);
            }
        }
    }

    /// <summary>Compiles a program; null where it is of no shape that can be, and stays interpreted.</summary>
    /// <param name="prog">The program.</param>
    /// <param name="isRaw">Whether no verifier has seen it.</param>
    /// <param name="needless">Checks to leave out; null for none.</param>
    /// <param name="contextBytes">How long the context is that <c>r1</c> points to at its start; 0 where it may
    /// not.</param>
    [RequiresDynamicCode("Makes methods while it runs.")]
    internal static CompiledCode? TryCompile(
        Interpreter prog, bool isRaw, NeedlessChecks? needless, ulong contextBytes)
    {
        var code = prog.Code;
        if (ProgLayout.Find(code, prog.ExceptionSlot, isRaw) is not { } layout)
        {
            return null;
        }

        var methods = layout.Funcs.ToDictionary(f => f.Entry, f => FuncEmitter.Declare($"{prog.Prog.Name}+{f.Entry}"));
        var context = contextBytes > 0 && !layout.IsCalled(0) ? new ContextUse(contextBytes) : null;
        foreach (var func in layout.Funcs)
        {
            FuncEmitter.Emit(methods, func, layout, prog, needless, func.Entry == 0 ? context : null);
        }

        var needed = Math.Max(needless?.ContextBytes ?? 0, context?.NeededBytes ?? 0);
        var compiled = new CompiledCode(code.Insns.Length, needed);
        foreach (var (entry, method) in methods)
        {
            compiled._funcs[entry] = method.CreateDelegate<CompiledFunc>();
        }

        return compiled;
    }
}
