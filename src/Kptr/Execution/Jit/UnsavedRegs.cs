namespace Kptr.Execution;

/// <summary>Which registers of one function may hold another value than the machine has, before each slot.</summary>
/// <remarks>
/// What leaves the program looks for registers in the machine, and all are there once it returns: a callback in between
/// puts back what it found. So a call saves what was written since the last one on some path to it; a function that
/// makes calls begins with saving all, lest a loop do so in each round for its first one.
/// </remarks>
internal sealed class UnsavedRegs
{
    private const int All = (1 << 10) - 1; // r10 is the machine's own
    private const int R0 = 1;
    private readonly int[] _before;

    /// <summary>Settles one function.</summary>
    internal UnsavedRegs(FuncLayout func, ProgLayout layout, Interpreter prog)
    {
        var code = prog.Code;
        _before = new int[code.Insns.Length];
        bool isChanged;
        do
        {
            isChanged = false;
            foreach (var slot in func.Slots)
            {
                var after = After(slot, prog);
                foreach (var next in layout.Next(slot))
                {
                    isChanged |= (after & ~_before[next]) != 0;
                    _before[next] |= after;
                }
            }
        }
        while (isChanged);
    }

    /// <summary>Whether the register is to be saved for what the slot calls.</summary>
    internal bool IsUnsaved(int slot, int reg) => (_before[slot] & (1 << reg)) != 0;

    private int After(int slot, Interpreter prog)
    {
        var insn = prog.Code.Insns[slot];
        if (!prog.Code.IsRunnable(slot))
        {
            return 0;
        }

        // A function saves its own in the same places. For a helper of raw instructions nothing is saved.
        return insn.IsLocalCall ? All
            : ProgLayout.IsOuter(insn) && prog.RawCallAt(slot) is null ? R0
            : _before[slot] | Liveness.Use(insn, isRaw: true).Writes;
    }
}
