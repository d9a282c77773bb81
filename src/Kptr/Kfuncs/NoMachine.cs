using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>
/// Where a kfunc's body finds itself that the kernel calls and no program, or that asks a run which has ended: live
/// kernel memory is there to be read.
/// </summary>
internal sealed class NoMachine(KernelHeap heap) : ICallbackRunner
{
    public ulong Call(ulong func, ulong r1, ulong r2, ulong r3, ulong r4, ulong r5) => throw NoProgram();

    public Func<ulong, ulong, ulong, ulong> Defer(ulong func) => throw NoProgram();

    public void TailCall(object target) => throw NoProgram();

    public bool IsAccessible(ulong address, int sizeBytes, bool isWrite) => sizeBytes == 0 || (!isWrite
        && heap.TryFindRegion(address, sizeBytes, out var region) && region.State == HeapState.Live);

    public void AddRegion(ulong address, int sizeBytes, bool isWritable)
    {
    }

    public void MoveRegion(ulong oldAddress, ulong address, int sizeBytes, bool isWritable)
    {
    }

    public string? Locate(ulong value) => null;

    private static ProgramFaultException NoProgram() =>
        new(DiagCode.RunCallFailed, "no program runs here that could be called back");
}
