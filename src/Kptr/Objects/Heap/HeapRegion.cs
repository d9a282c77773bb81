namespace Kptr.Objects;

/// <summary>One allocation, as found from any address inside it.</summary>
/// <param name="Address">Where it starts.</param>
/// <param name="SizeBytes">Bytes that a program may see.</param>
/// <param name="State">Whether it is live.</param>
/// <param name="Slab">The slab it is cut from; its <see cref="HeapSlab.Owner"/> is the map or the type.</param>
/// <param name="Object">The kernel object in it, or null for plain memory and freed objects.</param>
internal readonly record struct HeapRegion(
    ulong Address, long SizeBytes, HeapState State, HeapSlab Slab, KernelObject? Object);
