namespace Kptr.Maps;

/// <summary>One CPU's stock of a <see cref="FreeList"/>, and the thread that uses it for one operation.</summary>
internal readonly unsafe record struct StockUse(nint Address, int Thread)
{
    internal SlotStock* Stock => (SlotStock*)Address;
}
