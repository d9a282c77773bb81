using Kptr.Execution;

namespace Kptr.Tests.Execution;

/// <summary>Runs raw instructions in every engine and holds the engines to one answer.</summary>
internal static class Engines
{
    /// <summary>The engines, for theories.</summary>
    public static TheoryData<ExecEngine> All => [ExecEngine.Interpreter, ExecEngine.Jit];

    /// <summary>Runs a program in each engine, on the same memory.</summary>
    /// <returns>What both answered; the memory is as both left it.</returns>
    internal static ExecResult Run(Interpreter machine, Span<byte> memory, ExecOptions? options = null)
    {
        var before = memory.ToArray();
        options ??= ExecOptions.Default;
        var interpreted = machine.Run(memory, options with { Engine = ExecEngine.Interpreter });
        var left = memory.ToArray();
        before.CopyTo(memory);
        var compiled = machine.Run(memory, options with { Engine = ExecEngine.Jit });
        compiled.Should().Be(interpreted);
        memory.ToArray().Should().Equal(left);
        return compiled;
    }

    /// <summary>Whether the program runs as native code when that is asked for.</summary>
    internal static bool IsCompiled(Interpreter machine) => machine.CompiledFor(ExecEngine.Jit) is not null;
}
