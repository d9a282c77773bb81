using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Execution;

/// <summary>The native memory of one <see cref="Machine"/>, lent to one run at a time.</summary>
internal sealed unsafe class MachineMemory
{
    // What stands before Machine.StackLow.
    private static readonly uint ClearedBytes = (uint)MachineLayout.StackLow;

    internal MachineMemory()
    {
        Machine = (Machine*)NativeMemory.AlignedAlloc((nuint)sizeof(Machine), Op.SizeBytes);
        NativeMemory.Clear(Machine, (nuint)sizeof(Machine));
        StackTop = (ulong)Machine->Stack + (Execution.Machine.FramesMax * Execution.Machine.StackBytes);
        Machine->StackDeepest = StackTop;
        ForgetRegions(Machine);
    }

    ~MachineMemory() => NativeMemory.AlignedFree(Machine);

    internal Machine* Machine { get; }

    internal ulong StackTop { get; }

    /// <summary>Makes the outermost frame, which is there as long as the run, the region last used.</summary>
    internal static void ForgetRegions(Machine* machine)
    {
        const int Outermost = (Execution.Machine.FramesMax - 1) * Execution.Machine.StackBytes;
        machine->Read.Show((ulong)machine->Stack + Outermost, Execution.Machine.StackBytes);
        machine->Write.Show((ulong)machine->Stack + Outermost, Execution.Machine.StackBytes);
    }

    /// <summary>All zero but the regions last used, with one empty frame. Of the stack only what the last run could
    /// have written is cleared.</summary>
    /// <param name="usesStack">Whether the program that runs next has an instruction that names its frame.</param>
    internal void Reset(bool usesStack)
    {
        var stackLow = StackTop - Execution.Machine.StackBytes;
        var deepest = Machine->StackDeepest;

        // A constant to the host's JIT, which clears so little without a call or a loop.
        Unsafe.InitBlock(Machine, 0, ClearedBytes);
        if (deepest != StackTop)
        {
            new Span<byte>((void*)deepest, (int)(StackTop - deepest)).Clear();
        }

        Machine->StackDeepest = usesStack ? stackLow : StackTop;
        Machine->StackLow = stackLow;
        Machine->StackLen = Execution.Machine.StackBytes;
        Machine->Regs[10] = StackTop;
    }
}
