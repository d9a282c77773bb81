namespace Kptr.Verifier.State;

/// <summary>A call that switched interrupts off, and those before it: the last one is undone first.</summary>
/// <param name="id">The id of what it saved, which its slot of stack has too.</param>
/// <param name="insnIdx">The call.</param>
/// <param name="outer">The one before.</param>
/// <remarks>Kernel: <c>REF_TYPE_IRQ</c> among a state's references (7.2).</remarks>
internal sealed class IrqSave(int id, int insnIdx, IrqSave? outer)
{
    public int Id => id;

    public int InsnIdx => insnIdx;

    public IrqSave? Outer => outer;
}
