namespace Kptr.Objects;

/// <summary>A fault of the modelled kernel, thrown where the options ask for it or a scope ends with one.</summary>
public sealed class KernelFaultException : Exception
{
    /// <summary>Wraps at least one fault; the first gives the message.</summary>
    /// <param name="faults">The faults, oldest first.</param>
    public KernelFaultException(params IReadOnlyList<KernelFault> faults)
        : base(faults is { Count: > 0 } ? string.Join(Environment.NewLine, faults) : "kernel fault")
    {
        Faults = faults ?? [];
    }

    /// <summary>What happened, oldest first.</summary>
    public IReadOnlyList<KernelFault> Faults { get; }
}
