namespace Kptr.Objects;

/// <summary>
/// A part of a kernel object that has memory of its own and no count that users can move (<c>struct pid</c>).
/// </summary>
/// <remarks>Its owner frees it.</remarks>
internal sealed class KernelStruct
{
    internal KernelStruct(KernelCore core, string typeName, IReadOnlyList<FieldSpec> needed, int flexBytes = 0)
    {
        Layout = core.LayoutOf(typeName, needed, flexBytes, holdsObjects: false);
        Address = Layout.Slab.Allocate();
    }

    internal ulong Address { get; }

    internal ObjectLayout Layout { get; }

    internal ulong Get(string path) => KernelMemory.Get(Address, Layout.Field(path));

    internal void Put(string path, ulong value) => KernelMemory.Put(Address, Layout.Field(path), value);

    internal void Free() => Layout.Slab.TryFree(Address);
}
