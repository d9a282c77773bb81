using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Kptr.Execution;
using Kptr.Tests.Isa;

namespace Kptr.Tests.Execution;

/// <summary>
/// Whatever the slots hold, a run ends with a value or a fault, the same in each engine, and touches nothing that is
/// not its own.
/// </summary>
public class FuzzTests
{
    [Property(MaxTest = 300)]
    public Property Run_AnySlots_EndsQuietly() => Prop.ForAll(
        InsnGen.Any.ArrayOf().ToArbitrary(),
        insns => RunAll(insns));

    [Property(MaxTest = 1000)]
    public Property Run_LegalSlots_EndsQuietly() => Prop.ForAll(
        InsnGen.Legal.ArrayOf(40).ToArbitrary(),
        parts => RunAll([.. parts.SelectMany(p => p)]));

    private static void RunAll(Kptr.Isa.BpfInsn[] insns)
    {
        using var machine = Interpreter.ForRaw([.. insns]);
        var guarded = new byte[64 + 16 + 64];
        Engines.Run(machine, guarded.AsSpan(64, 16), new ExecOptions { Fuel = 10_000 });
        guarded.AsSpan(0, 64).ToArray().Should().OnlyContain(b => b == 0);
        guarded.AsSpan(80).ToArray().Should().OnlyContain(b => b == 0);
    }
}
