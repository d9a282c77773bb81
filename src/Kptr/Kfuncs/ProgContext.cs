using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>One run of a program, as the kfuncs and helpers it calls see it.</summary>
/// <remarks>Belongs to the thread that runs the program.</remarks>
public sealed class ProgContext
{
    internal ProgContext(ProgSpec prog, ICallbackRunner callbacks, int cpu)
    {
        Prog = prog;
        Callbacks = callbacks;
        Cpu = cpu;
    }

    /// <summary>The CPU the program runs on.</summary>
    public int Cpu { get; }

    /// <summary>The linked program.</summary>
    internal ProgSpec Prog { get; }

    /// <summary>The machine that runs it.</summary>
    internal ICallbackRunner Callbacks { get; }

    /// <summary>The call instruction being executed; the machine keeps it up to date before every call.</summary>
    internal int InsnIdx { get; set; }
}
