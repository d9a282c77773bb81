using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// Local storage of C# structs, of the type that its owners ask for: tasks, cgroups, sockets;
/// anything else stands for inodes.
/// </summary>
/// <typeparam name="TOwner">What a value belongs to.</typeparam>
/// <typeparam name="TValue">The value; its <see cref="Kptr{T}"/> and <see cref="BpfSpinLock"/> fields are the
/// special fields.</typeparam>
public sealed unsafe class LocalStorageMap<TOwner, [DynamicallyAccessedMembers(StructFields.Kept)] TValue>
    : LocalStorageMap, ITypedMap<int, TValue>
    where TOwner : KernelObject
    where TValue : unmanaged
{
    /// <summary>Makes a storage map.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="name">Its name, for reports.</param>
    /// <exception cref="MapCreateException">The kernel refuses it.</exception>
    public LocalStorageMap(KernelCore core, string name = "storage")
        : base(core, StructSpec.Of<int, TValue>(core, name, TypeFor, 0, MapFlags.NoPrealloc))
    {
    }

    BpfMap ITypedMap<int, TValue>.Map => this;

    private static BpfMapType TypeFor =>
        typeof(TOwner) == typeof(TaskStruct) ? BpfMapType.TaskStorage
        : typeof(TOwner) == typeof(Cgroup) ? BpfMapType.CgrpStorage
        : typeof(TOwner) == typeof(Sock) ? BpfMapType.SkStorage : BpfMapType.InodeStorage;

    /// <summary>An owner's value in live memory.</summary>
    /// <returns>The value, or a null reference (<see cref="Unsafe.IsNullRef{T}"/>). Use it
    /// inside an RCU reader.</returns>
    public ref TValue Lookup(TOwner owner) => ref Unsafe.AsRef<TValue>((void*)Checked(Get(owner)));

    /// <summary>An owner's value in live memory, made of zeros where it has none.</summary>
    /// <returns>The value; a null reference when the owner is being freed. Use it inside an RCU reader.</returns>
    public ref TValue LookupOrInit(TOwner owner) =>
        ref Unsafe.AsRef<TValue>((void*)Checked(Get(owner, default, create: true)));

    /// <summary>Creates or replaces an owner's value. Special fields of <paramref name="value"/> are ignored.</summary>
    public Errno Update(TOwner owner, in TValue value, MapUpdateFlags flags = MapUpdateFlags.Any) =>
        Update(owner, MemoryMarshal.AsBytes(new ReadOnlySpan<TValue>(in value)), flags);

    private protected override bool CanOwn(KernelObject owner) => owner is TOwner && base.CanOwn(owner);

    /// <summary>All owners with their values at about this moment, special fields as zero.</summary>
    public IReadOnlyList<KeyValuePair<TOwner, TValue>> Snapshot()
    {
        var all = new List<KeyValuePair<TOwner, TValue>>();
        using var reader = Core.Rcu.ReadLock();
        foreach (var (owner, at) in LiveValues().ToList())
        {
            TValue value = default;
            CopyOut(new Span<byte>(&value, sizeof(TValue)), at);
            all.Add(new((TOwner)owner, value));
        }

        return all;
    }
}
