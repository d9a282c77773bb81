using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Maps;

/// <summary>An arena's address space as programs see it, in native memory: from 32 bits of an address to a
/// page.</summary>
/// <remarks>
/// A program's pointer into an arena is the low half of user space's. <see cref="Find"/> is the only way from there to
/// memory of the host.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ArenaSpace
{
    internal const int PageBytes = 4096;
    internal const int PageShift = 12;

    /// <summary>The low half of the first page's address (<c>user_vm_start</c>).</summary>
    internal ulong Low;

    /// <summary>How long it is; it does not cross a boundary of 4 GiB.</summary>
    internal ulong SizeBytes;

    /// <summary>By page, where it lies in the host; 0 where the arena has none.</summary>
    internal ulong* Pages;

    /// <summary>Where some bytes lie in the host.</summary>
    /// <param name="address">
    /// The low half of an address and an offset that an instruction adds, so possibly outside of 32 bits.
    /// </param>
    /// <param name="sizeBytes">How many.</param>
    /// <returns>0 where they are not all in one page that is there.</returns>
    /// <remarks>
    /// A page that is freed meanwhile keeps its memory for the same address, so that a late access is one that came
    /// before the free, or after the page was taken again.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong Find(ulong address, uint sizeBytes)
    {
        var off = address - Low;
        var inPage = off & (PageBytes - 1);
        if (off >= SizeBytes || inPage > PageBytes - sizeBytes)
        {
            return 0;
        }

        var page = Volatile.Read(ref Pages[off >> PageShift]);
        return page == 0 ? 0 : page + inPage;
    }
}
