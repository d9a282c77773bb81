namespace Kptr.Execution;

/// <summary>Where the parts of a <see cref="Machine"/> are, in bytes from its start: what compiled code goes
/// by.</summary>
internal static unsafe class MachineLayout
{
    internal static readonly int StackLow = OffOf(m => &m->StackLow);
    internal static readonly int StackLen = OffOf(m => &m->StackLen);
    internal static readonly int Fuel = OffOf(m => (ulong*)&m->Fuel);
    internal static readonly int IsEnded = OffOf(m => (ulong*)&m->IsEnded);
    internal static readonly int StopIdx = OffOf(m => (ulong*)&m->StopIdx);
    private static readonly int ReadLow = OffOf(m => &m->Read.Low);
    private static readonly int ReadLast = OffOf(m => m->Read.Last);
    private static readonly int WriteLow = OffOf(m => &m->Write.Low);
    private static readonly int WriteLast = OffOf(m => m->Write.Last);

    private delegate ulong* Part(Machine* m);

    internal static int Reg(int reg) => reg * sizeof(ulong);

    internal static int WindowLow(bool isWrite) => isWrite ? WriteLow : ReadLow;

    internal static int WindowLast(bool isWrite, int sizeBytes) =>
        (isWrite ? WriteLast : ReadLast) + (int.Log2(sizeBytes) * sizeof(ulong));

    private static int OffOf(Part part)
    {
        var m = default(Machine);
        return (int)((byte*)part(&m) - (byte*)&m);
    }
}
