using System.Runtime.InteropServices;

namespace Kptr.Objects;

/// <summary>One thread's part in one RCU flavour. Only that thread writes it; the grace-period side reads.</summary>
/// <remarks>Padded, so that readers on different threads do not share a cache line.</remarks>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct RcuReaderState
{
    /// <summary>0 outside of readers, else the grace-period number at which the outermost one began.</summary>
    [FieldOffset(64)]
    internal long Since;

    /// <summary>How many readers are nested.</summary>
    [FieldOffset(72)]
    internal int Depth;
}

/// <summary>The object that holds a thread's <see cref="RcuReaderState"/>.</summary>
internal sealed class RcuReader
{
    internal RcuReaderState State;
}
