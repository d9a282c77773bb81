namespace Kptr.Verifier.Liveness;

/// <summary>Where into which frame's stack a value may point, as far as the code's shape tells.</summary>
/// <remarks>
/// From sure to unsure: one frame with up to four offsets; one frame with an offset nobody knows; some of several
/// frames. A value that is no such pointer on one path and has one offset on another has the offset 0 besides, where
/// nothing is: what it reads is then still known, and what it writes is not sure to be written. Kernel:
/// <c>struct arg_track</c> (7.2).
/// </remarks>
internal readonly record struct FramePlace
{
    private const int OffsetsMax = 4;
    private const sbyte NoFrame = -1;
    private const sbyte SomeFrames = -2;

    // Rising, 16 bits each from the low ones on; what is not counted is 0, so that equal places have equal bits.
    private readonly ulong _offsets;
    private readonly ushort _frames;

    // One more than the frame: a value that nobody set is no pointer.
    private readonly sbyte _frameAndOne;

    private FramePlace(int frame, ReadOnlySpan<short> offsets = default, int frames = 0)
    {
        _frameAndOne = (sbyte)(frame + 1);
        OffsetCount = (sbyte)offsets.Length;
        _frames = (ushort)frames;
        for (var i = 0; i < offsets.Length; i++)
        {
            _offsets |= (ulong)(ushort)offsets[i] << (16 * i);
        }
    }

    /// <summary>No pointer to a stack.</summary>
    public static FramePlace None => default;

    /// <summary>The one frame it points into, else negative.</summary>
    public int Frame => _frameAndOne - 1;

    /// <summary>How many offsets are known; 0 where it may be any.</summary>
    public sbyte OffsetCount { get; }

    /// <summary>Whether it may point to a stack.</summary>
    public bool IsStack => Frame != NoFrame;

    /// <summary>The frames it may point into, a bit each.</summary>
    public int Frames => Frame >= 0 ? 1 << Frame : _frames;

    /// <summary>One of the offsets, from the frame pointer.</summary>
    public short this[int i] => (short)(_offsets >> (16 * i));

    /// <summary>A known place.</summary>
    public static FramePlace At(int frame, short offset) => new(frame, [offset]);

    /// <summary>Somewhere in this frame.</summary>
    public static FramePlace AnywhereIn(int frame) => new(frame);

    /// <summary>Somewhere in some of these frames.</summary>
    public static FramePlace Somewhere(int frames) => new(SomeFrames, frames: frames);

    /// <summary>What holds on either of two ways (<c>__arg_track_join</c>).</summary>
    /// <remarks>It is not associative: who wants the kernel's answer joins in the kernel's order.</remarks>
    public static FramePlace Join(in FramePlace a, in FramePlace b)
    {
        if (a.Frame >= 0 && a.Frame == b.Frame)
        {
            return a.OffsetCount == 0 || b.OffsetCount == 0 ? AnywhereIn(a.Frame) : MergeOffsets(a, b);
        }

        if (!a.IsStack && !b.IsStack)
        {
            return None;
        }

        if (!a.IsStack && b.Frame >= 0)
        {
            return Join(b, a);
        }

        if (a.Frame >= 0 && !b.IsStack)
        {
            return a.OffsetCount == 1 ? MergeOffsets(a, At(a.Frame, 0)) : a;
        }

        return Somewhere(a.Frames | b.Frames);
    }

    /// <summary>What arithmetic of two values makes (<c>arg_track_alu64</c>).</summary>
    public static FramePlace Mix(in FramePlace dst, in FramePlace src)
    {
        if (dst.Frame >= 0 && (!src.IsStack || src.Frame == dst.Frame))
        {
            return AnywhereIn(dst.Frame);
        }

        if (src.Frame >= 0 && !dst.IsStack)
        {
            return AnywhereIn(src.Frame);
        }

        return dst.IsStack || src.IsStack ? Somewhere(dst.Frames | src.Frames) : None;
    }

    /// <summary>This place, in one frame, moved by a constant.</summary>
    public FramePlace Plus(long delta)
    {
        Span<short> moved = stackalloc short[OffsetCount];
        for (var i = 0; i < moved.Length; i++)
        {
            if (!TryAdd(this[i], delta, out moved[i]))
            {
                return AnywhereIn(Frame);
            }
        }

        return new(Frame, moved);
    }

    /// <summary>An offset moved by a constant, where 16 bits hold both and the sum.</summary>
    public static bool TryAdd(short offset, long delta, out short sum)
    {
        var small = (short)delta;
        sum = (short)(offset + small);
        return small == delta && sum == offset + small;
    }

    /// <summary>In the kernel's words.</summary>
    public override string ToString()
    {
        if (Frame < 0)
        {
            return IsStack ? $"IMP{_frames:x}" : "_";
        }

        var place = this;
        return OffsetCount == 0 ? $"fp{Frame} ?"
            : string.Join('|', Enumerable.Range(0, OffsetCount).Select(i => $"fp{place.Frame}{place[i]:+0;-0;+0}"));
    }

    private static FramePlace MergeOffsets(in FramePlace a, in FramePlace b)
    {
        Span<short> merged = stackalloc short[2 * OffsetsMax];
        int i = 0, j = 0, count = 0;
        while (i < a.OffsetCount || j < b.OffsetCount)
        {
            var takesA = j == b.OffsetCount || (i < a.OffsetCount && a[i] <= b[j]);
            var next = takesA ? a[i++] : b[j++];
            if (count == 0 || merged[count - 1] != next)
            {
                merged[count++] = next;
            }
        }

        return count > OffsetsMax ? AnywhereIn(a.Frame) : new(a.Frame, merged[..count]);
    }
}
