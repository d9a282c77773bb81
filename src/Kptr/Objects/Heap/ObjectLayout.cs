using System.Collections.Concurrent;
using System.Numerics;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Objects;

/// <summary>Where a field of a kernel struct lies.</summary>
/// <param name="OffsetBytes">From the start of the object.</param>
/// <param name="SizeBytes">Its size; wider than what the model keeps there in some kernels.</param>
internal readonly record struct NativeField(int OffsetBytes, int SizeBytes);

/// <summary>A field that the model maintains, by its path in the C struct.</summary>
/// <param name="Path">Member names joined by dots.</param>
/// <param name="SizeBytes">Its size where the kernel's BTF lacks it.</param>
/// <param name="IsKept">
/// Whether the model itself goes by it, so that nobody else may write it: what is in it is followed or counted.
/// </param>
internal readonly record struct FieldSpec(string Path, int SizeBytes, bool IsKept = false)
{
    /// <summary>A reference count.</summary>
    internal static FieldSpec Count(string path, int sizeBytes = 4) => new(path, sizeBytes, IsKept: true);

    /// <summary>The head of a list, or a link in one.</summary>
    internal static FieldSpec Link(string path) => new(path, NativeList.SizeBytes, IsKept: true);
}

/// <summary>How one kernel struct lies in memory: found by name in the kernel's BTF, once.</summary>
/// <remarks>
/// What the model needs and this kernel's BTF lacks is put behind the declared struct, where no program can see it. So
/// the model works alike with a built-in, a real, or no BTF at all.
/// </remarks>
internal sealed class ObjectLayout
{
    private readonly ConcurrentDictionary<string, NativeField> _fields = new();
    private readonly NearField?[] _near;
    private readonly BtfType? _embedder;
    private readonly NativeField[] _kept;

    /// <summary>Finds the struct and makes the pool of its objects.</summary>
    /// <param name="spec">The kernel.</param>
    /// <param name="heap">Where the pool is made.</param>
    /// <param name="name">The struct's name.</param>
    /// <param name="needed">Fields that the model keeps.</param>
    /// <param name="flexBytes">Room behind the struct for the flexible array it ends with.</param>
    /// <param name="holdsObjects">Whether each is a <see cref="KernelObject"/>, and not just a part of one.</param>
    /// <param name="embedder">A larger struct that starts with this one and lies in the room behind it; its members
    /// are found by their paths, too. Null for none.</param>
    internal ObjectLayout(
        KernelSpec spec, KernelHeap heap, string name, IReadOnlyList<FieldSpec> needed,
        int flexBytes, bool holdsObjects, string? embedder = null)
    {
        Name = name;
        _embedder = embedder is not null && spec.Types.Find(embedder, BtfKind.Struct) is { } outer
            ? spec.Types[outer] : null;
        Place = spec.Types.Find(name, BtfKind.Struct);
        Type = Place is { } place ? spec.Types[place] : null;
        var declared = Type is { } type ? type.SizeBytes + flexBytes : 0;
        var end = (declared + 7) & ~7;
        foreach (var field in needed)
        {
            // A declared flexible array has members past the struct's end: without room for
            // them they are no part of it.
            if (!_fields.ContainsKey(field.Path)
                && (FindDeclared(field.Path) is not { } found || found.OffsetBytes + found.SizeBytes > declared))
            {
                _fields[field.Path] = new(end, field.SizeBytes);
                end += (field.SizeBytes + 7) & ~7;
            }
        }

        _near = new NearField?[(int)BitOperations.RoundUpToPowerOf2((uint)(3 * needed.Count) + 2)];
        foreach (var field in needed)
        {
            KeepNear(field.Path);
        }

        SizeBytes = declared > 0 ? declared : end;
        _kept = [.. needed.Where(f => f.IsKept).Select(f => Field(f.Path))];
        Slab = heap.CreateSlab(name, Math.Max(end, 8), holdsObjects: holdsObjects, visibleBytes: SizeBytes);
        Slab.Layout = this;
    }

    /// <summary>The layout of what a program allocates: a type of its own BTF.</summary>
    /// <param name="heap">Where the pool is made.</param>
    /// <param name="type">The struct.</param>
    /// <param name="record">Its special fields; with one for the count, that is where the count is.</param>
    /// <param name="copies">How many copies each object has: one, or one per CPU.</param>
    /// <param name="countPath">What to call the count, which is behind the copies where the type has none.</param>
    internal ObjectLayout(KernelHeap heap, BtfType type, BtfRecord record, int copies, string countPath)
    {
        Name = type.Name;
        Type = type;
        SizeBytes = Math.Max(8, (type.SizeBytes + 7) & ~7) * copies;
        var declared = record.Fields.FirstOrDefault(f => f.Kind == BtfFieldKind.Refcount);
        var count = new NativeField(declared?.OffsetBytes ?? SizeBytes, 4);
        _fields[countPath] = count;
        _near = new NearField?[2];
        _kept = [count, .. record.Fields.Select(f => new NativeField(f.OffsetBytes, f.SizeBytes))];
        Slab = heap.CreateSlab(
            Name, SizeBytes + (declared is null ? 8 : 0), holdsObjects: true, visibleBytes: SizeBytes);
        Slab.Layout = this;
    }

    /// <summary>The struct's name.</summary>
    internal string Name { get; }

    /// <summary>Its place in the kernel's types; null where the BTF lacks it.</summary>
    internal BtfRef? Place { get; }

    /// <summary>The struct; null where the BTF lacks it.</summary>
    internal BtfType? Type { get; }

    /// <summary>Bytes of the struct.</summary>
    internal int SizeBytes { get; }

    internal HeapSlab Slab { get; }

    /// <summary>Whether some of these bytes are the model's own to write: links, counts, special fields.</summary>
    internal bool IsKept(long offsetBytes, int sizeBytes) => Array.Exists(
        _kept, f => f.OffsetBytes < offsetBytes + sizeBytes && offsetBytes < f.OffsetBytes + f.SizeBytes);

    /// <summary>Whether programs can see this field.</summary>
    internal bool IsDeclared(string path) => FindDeclared(path) is not null;

    /// <summary>The field with this path.</summary>
    /// <exception cref="ArgumentException">Neither the kernel's BTF nor the model has it.</exception>
    /// <remarks>
    /// The model's own paths are literals, each one string wherever it is written: a field that the model keeps is
    /// known by that, without its letters being compared. A task's life asks a hundred times.
    /// </remarks>
    internal NativeField Field(string path)
    {
        var at = NearIndex(path);
        return _near[at] is { } first && ReferenceEquals(first.Path, path) ? first.Field
            : _near[at ^ 1] is { } second && ReferenceEquals(second.Path, path) ? second.Field
            : FieldSlow(path);
    }

    /// <summary>The field with this path, which must hold at least so many bytes.</summary>
    internal NativeField FieldFor(string path, int sizeBytes)
    {
        ArgumentNullException.ThrowIfNull(path);
        var field = Field(path);
        if (field.OffsetBytes < 0 || field.OffsetBytes + (long)field.SizeBytes > Slab.AllocBytes)
        {
            throw new ArgumentException($"{Name}.{path} lies outside of the object", nameof(path));
        }

        return field.SizeBytes >= sizeBytes ? field
            : throw new ArgumentException($"{Name}.{path} has {field.SizeBytes} bytes, not {sizeBytes}", nameof(path));
    }

    private NativeField FieldSlow(string path) =>
        _fields.TryGetValue(path, out var field) ? field
        : _fields.GetOrAdd(path, FindDeclared(path)
            ?? throw new ArgumentException($"struct {Name} has no field {path}", nameof(path)));

    // Where two are taken already, the third is found by its letters.
    private void KeepNear(string path)
    {
        var at = NearIndex(path);
        _near[_near[at] is null ? at : at ^ 1] ??= new(path, Field(path));
    }

    private int NearIndex(string path)
    {
        var length = path.Length;
        return length == 0 ? 0
            : ((length * 57) + (path[0] * 105) + (path[^1] * 87) + (path[length / 2] * 71)) & (_near.Length - 1);
    }

    private NativeField? FindDeclared(string path) =>
        (PlaceIn(Type, path) ?? PlaceIn(_embedder, path)) is { } place
            ? new(place.OffsetBytes, place.SizeBytes) : null;

    private static BtfPlace? PlaceIn(BtfType? type, string path) => type?.Btf.FindPath(type.Value.Id, path);

    /// <summary>Where a bit-field lies that the kernel's BTF declares; null where it declares none.</summary>
    internal BtfBits? FindBits(string path) =>
        (_embedder ?? Type) is { } type ? type.Btf.FindBits(type.Id, path) : null;

    private sealed record NearField(string Path, NativeField Field);
}
