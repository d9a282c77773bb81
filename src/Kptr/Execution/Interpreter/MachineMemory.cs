using System.Runtime.InteropServices;

namespace Kptr.Execution;

/// <summary>The native memory of one <see cref="Machine"/>, lent to one run at a time.</summary>
internal sealed unsafe class MachineMemory
{
    internal MachineMemory()
    {
        Machine = (Machine*)NativeMemory.AlignedAlloc((nuint)sizeof(Machine), Op.SizeBytes);
        NativeMemory.Clear(Machine, (nuint)sizeof(Machine));
        Machine->StackDeepest = StackTop;
    }

    ~MachineMemory() => NativeMemory.AlignedFree(Machine);

    internal Machine* Machine { get; }

    internal ulong StackTop => (ulong)Machine->Stack + (Execution.Machine.FramesMax * Execution.Machine.StackBytes);

    /// <summary>All zero, with one empty frame. Of the stack only what the last run could have written is
    /// cleared.</summary>
    internal void Reset()
    {
        var stackLow = StackTop - Execution.Machine.StackBytes;
        var deepest = Machine->StackDeepest;
        NativeMemory.Clear(Machine, (nuint)((byte*)&Machine->Frames - (byte*)Machine));
        NativeMemory.Clear((void*)deepest, (nuint)(StackTop - deepest));
        Machine->StackDeepest = Machine->StackLow = stackLow;
        Machine->StackLen = Execution.Machine.StackBytes;
        Machine->Regs[10] = StackTop;
    }
}
