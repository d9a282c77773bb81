using System.Runtime.InteropServices;

namespace Kptr.Execution;

/// <summary>The native memory of one <see cref="Machine"/>, lent to one run at a time.</summary>
internal sealed unsafe class MachineMemory
{
    internal MachineMemory() => Machine = (Machine*)NativeMemory.AlignedAlloc((nuint)sizeof(Machine), Op.SizeBytes);

    ~MachineMemory() => NativeMemory.AlignedFree(Machine);

    internal Machine* Machine { get; }

    internal ulong StackTop => (ulong)Machine->Stack + (Execution.Machine.FramesMax * Execution.Machine.StackBytes);

    /// <summary>All zero, with one empty frame.</summary>
    internal void Reset()
    {
        NativeMemory.Clear(Machine, (nuint)sizeof(Machine));
        Machine->StackLow = StackTop - Execution.Machine.StackBytes;
        Machine->StackLen = Execution.Machine.StackBytes;
        Machine->Regs[10] = StackTop;
    }
}
