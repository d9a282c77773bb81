using System.Runtime.InteropServices;

namespace Kptr.Execution;

/// <summary>Why the loop was left.</summary>
internal enum StopKind
{
    /// <summary>The outermost frame of this loop returned.</summary>
    Return,

    /// <summary>A helper, kfunc or register call.</summary>
    Call,

    /// <summary>A memory access that is neither in the stack nor in the region last used.</summary>
    Memory,

    /// <summary>The fuel of this slice is spent.</summary>
    Fuel,

    /// <summary>A call too deep.</summary>
    Depth,

    /// <summary>A slot that is no legal instruction.</summary>
    BadInsn,

    /// <summary>Control left the program.</summary>
    BadTarget,

    /// <summary>A legacy packet load.</summary>
    Packet,
}

/// <summary>The state of one run, in native memory: what handlers reach through one pointer.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Machine
{
    internal const int RegCount = 11;
    internal const int StackBytes = 512;
    internal const int FramesMax = 16;

    /// <summary>How often <c>may_goto</c> falls through in one call of a function (<c>BPF_MAX_LOOPS</c>).</summary>
    internal const long MayGotoMax = 8 * 1024 * 1024;

    /// <summary>The registers; first, so that a register's byte offset is its number times eight.</summary>
    internal fixed ulong Regs[RegCount];

    /// <summary>What is left of this slice of fuel.</summary>
    internal long Fuel;

    /// <summary>How often <c>may_goto</c> still falls through in the innermost frame.</summary>
    internal long MayGotoLeft;

    /// <summary>Calls that are open.</summary>
    internal int Depth;

    /// <summary>The depth at which <c>exit</c> leaves the loop.</summary>
    internal int BaseDepth;

    /// <summary>Why the loop was left.</summary>
    internal StopKind Stop;

    /// <summary>The slot at which it was left.</summary>
    internal int StopIdx;

    /// <summary>The address it was left for.</summary>
    internal ulong StopAddress;

    /// <summary>Whether the run is over, however many compiled functions are open.</summary>
    internal bool IsEnded;

    /// <summary>Lowest stack byte of the innermost frame. From here on nothing is cleared for the next run.</summary>
    internal ulong StackLow;

    /// <summary>Stack bytes from <see cref="StackLow"/> to the top of the outermost frame.</summary>
    internal ulong StackLen;

    /// <summary>The region last read; the outermost frame where there is none.</summary>
    internal Window Read;

    /// <summary>The region last written.</summary>
    internal Window Write;

    /// <summary>The lowest that <see cref="StackLow"/> has been in this run.</summary>
    internal ulong StackDeepest;

    /// <summary>Saved state of the callers.</summary>
    internal FrameArray Frames;

    /// <summary>The stack: the outermost frame highest.</summary>
    internal fixed ulong Stack[FramesMax * StackBytes / sizeof(ulong)];

    /// <summary>A region that was found to be live, of eight bytes or more.</summary>
    internal struct Window
    {
        /// <summary>Its first address.</summary>
        internal ulong Low;

        /// <summary>By size (as a power of two) of an access, how far from there the last one may begin.</summary>
        internal fixed ulong Last[4];

        /// <summary>Looks at another region.</summary>
        internal void Show(ulong low, ulong sizeBytes)
        {
            Low = low;
            Last[0] = sizeBytes - 1;
            Last[1] = sizeBytes - 2;
            Last[2] = sizeBytes - 4;
            Last[3] = sizeBytes - 8;
        }
    }

    /// <summary>What a call saves.</summary>
    internal struct Frame
    {
        internal fixed ulong Saved[4];
        internal Op* Return;
        internal int CallIdx;
        internal long MayGotoLeft;
    }

    [System.Runtime.CompilerServices.InlineArray(FramesMax)]
    internal struct FrameArray
    {
        private Frame _first;
    }
}
