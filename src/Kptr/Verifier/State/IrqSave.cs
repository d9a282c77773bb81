namespace Kptr.Verifier;

/// <summary>A call that switched interrupts off, and those before it: the last one is undone first.</summary>
/// <param name="Id">The id of what it saved, which its slot of stack has too.</param>
/// <param name="InsnIdx">The call.</param>
/// <param name="Outer">The one before.</param>
/// <remarks>Kernel: <c>REF_TYPE_IRQ</c> among a state's references (7.2).</remarks>
internal sealed record IrqSave(int Id, int InsnIdx, IrqSave? Outer);
