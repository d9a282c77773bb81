using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Btf;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr;

/// <summary>A global variable of an object: what its programs and C# share by name.</summary>
/// <remarks>
/// <para>
/// Before the object is loaded, setting one changes what is loaded: programs are verified with it, so that a
/// constant (<c>const volatile</c>, in <c>.rodata</c>) decides which branches there are. Afterwards it is the memory
/// that programs use, as a skeleton's mapped sections are; constants are frozen then, as the kernel freezes them.
/// </para>
/// <para>
/// Any thread may read and set. Values of 1, 2, 4 and 8 aligned bytes are read and written whole; larger ones may be
/// seen in parts while a program writes them. Variables of <c>.kconfig</c> are read once the object is loaded, and come
/// from <see cref="KernelSpec.Kconfig"/>. libbpf: <c>bpf_object__open_skeleton</c>; cilium/ebpf: <c>Variable</c>.
/// </para>
/// </remarks>
public sealed class BpfVariable
{
    private const string KconfigSection = ".kconfig";
    private readonly BpfObject _owner;
    private readonly ObjectVariables _values;
    private readonly MapSpec _section;

    internal BpfVariable(
        BpfObject owner, ObjectVariables values, MapSpec section, string name, BtfVarSecInfo info)
    {
        (_owner, _values, _section, Name) = (owner, values, section, name);
        (OffsetBytes, SizeBytes) = (info.OffsetBytes, info.SizeBytes);
        Type = section.Btf!.SkipModifiers(section.Btf[info.TypeId].RefTypeId);
        Declaration = BtfCPrinter.Declare(section.Btf[section.Btf[info.TypeId].RefTypeId], name);
    }

    /// <summary>Its name in C.</summary>
    public string Name { get; }

    /// <summary>The section it is in, which is its map's name: <c>.data</c>, <c>.rodata</c>, <c>.bss</c>; of variables
    /// in an arena (<c>__arena</c>) the arena's.</summary>
    public string Section => _section.Name;

    /// <summary>Where it is in the section.</summary>
    public int OffsetBytes { get; }

    /// <summary>Its size.</summary>
    public int SizeBytes { get; }

    /// <summary>Its type, without <c>const</c>, <c>volatile</c> and <c>typedef</c>.</summary>
    public BtfType Type { get; }

    /// <summary>Its declaration in C.</summary>
    public string Declaration { get; }

    /// <summary>Whether programs cannot write it, and C# only before the object is loaded.</summary>
    public bool IsConstant => _section.Frozen;

    /// <summary>Reads it.</summary>
    /// <typeparam name="T">A type of the variable's size, laid out as in C.</typeparam>
    /// <exception cref="ArgumentException">The size is another, a fraction is a whole number, or the C# type has a
    /// kptr.</exception>
    /// <exception cref="InvalidOperationException">It is of <c>.kconfig</c>, and the object is not loaded.</exception>
    /// <exception cref="ObjectDisposedException">The object was disposed of.</exception>
    public T Get<T>()
        where T : unmanaged
    {
        CheckType<T>();
        var value = default(T);
        Read(MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    /// <summary>Sets it.</summary>
    /// <param name="value">The value.</param>
    /// <typeparam name="T">A type of the variable's size, laid out as in C.</typeparam>
    /// <exception cref="ArgumentException">As for <see cref="Get"/>.</exception>
    /// <exception cref="InvalidOperationException">It is a constant and the object is loaded; it is of <c>.kconfig</c>;
    /// it has a lock, a kptr or another field that only programs change (before the load, loading says so); or the
    /// object was being loaded meanwhile.</exception>
    /// <exception cref="ObjectDisposedException">The object was disposed of.</exception>
    public void Set<T>(T value)
        where T : unmanaged
    {
        CheckType<T>();
        Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref value)));
    }

    /// <summary>Its bytes, special fields as zeros.</summary>
    /// <exception cref="InvalidOperationException">As for <see cref="Get"/>.</exception>
    /// <exception cref="ObjectDisposedException">The object was disposed of.</exception>
    public byte[] GetBytes()
    {
        var bytes = new byte[SizeBytes];
        Read(bytes);
        return bytes;
    }

    /// <summary>Sets its first bytes; those behind are set to zero.</summary>
    /// <param name="bytes">At most as many as it has.</param>
    /// <exception cref="ArgumentException">There are more.</exception>
    /// <exception cref="InvalidOperationException">As for <see cref="Set"/>.</exception>
    /// <exception cref="ObjectDisposedException">The object was disposed of.</exception>
    public void SetBytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > SizeBytes)
        {
            throw new ArgumentException($"{this} has {SizeBytes} bytes, not {bytes.Length}", nameof(bytes));
        }

        var whole = new byte[SizeBytes];
        bytes.CopyTo(whole);
        Write(whole);
    }

    /// <summary>Declaration and section.</summary>
    public override string ToString() => $"{Declaration} in {Section}";

    private void CheckType<T>()
        where T : unmanaged
    {
        PlainStruct.Check<T>();
        var isFraction = typeof(T) == typeof(float) || typeof(T) == typeof(double);
        if (Unsafe.SizeOf<T>() != SizeBytes
            || (typeof(T).IsPrimitive && isFraction != (Type.Kind == BtfKind.Float)))
        {
            throw new ArgumentException(
                $"{this} has {SizeBytes} bytes; {typeof(T).Name} has {Unsafe.SizeOf<T>()}"
                + (Unsafe.SizeOf<T>() == SizeBytes ? ", and is no such number" : ""), nameof(T));
        }
    }

    private void Read(Span<byte> target)
    {
        if (HoldMap() is not { } map)
        {
            if (Section == KconfigSection)
            {
                throw new InvalidOperationException($"{this} is known once the object is loaded");
            }

            _values.ContentOf(_section).Slice(OffsetBytes, SizeBytes).CopyTo(target);
            return;
        }

        try
        {
            if (map.Record.Overlaps(OffsetBytes, SizeBytes))
            {
                var content = new byte[map.ValueSize];
                map.LookupElem(new byte[sizeof(int)], content);
                content.AsSpan(OffsetBytes, SizeBytes).CopyTo(target);
                return;
            }

            ReadMemory(map, target);
        }
        finally
        {
            map.PutUser();
        }
    }

    private void Write(ReadOnlySpan<byte> source)
    {
        if (Section == KconfigSection)
        {
            throw new InvalidOperationException($"{this} comes from the kernel's configuration");
        }

        if (HoldMap() is not { } map)
        {
            _values.Set(this, _section, source);
            if (!_owner.IsFresh)
            {
                throw new InvalidOperationException($"{_owner} was being loaded when {this} was set");
            }

            return;
        }

        try
        {
            if (IsConstant)
            {
                throw new InvalidOperationException(
                    $"{this} is constant once the object is loaded; set it before");
            }

            if (map.Record.Overlaps(OffsetBytes, SizeBytes))
            {
                throw new InvalidOperationException($"{this} has fields that only programs change: {map.Record}");
            }

            WriteMemory(map, source);
        }
        finally
        {
            map.PutUser();
        }
    }

    /// <summary>The live section, held; null before the object is loaded.</summary>
    private BpfMap? HoldMap()
    {
        if (_owner.IsFresh)
        {
            return null;
        }

        if (_owner.Maps.TryGetValue(_section.Name, out var map) && map.TryHoldUser())
        {
            return map;
        }

        _owner.ThrowIfGone();
        throw new InvalidOperationException($"{_owner} is being loaded");
    }

    private void ReadMemory(BpfMap map, Span<byte> target)
    {
        map.DirectValueAddress((uint)OffsetBytes, out var address);
        if (map is ArenaMap arena)
        {
            arena.Read(address, target);
            return;
        }

        KernelMemory.CopyOut(address, target);
    }

    private void WriteMemory(BpfMap map, ReadOnlySpan<byte> source)
    {
        map.DirectValueAddress((uint)OffsetBytes, out var address);
        if (map is ArenaMap arena)
        {
            arena.Write(address, source);
            return;
        }

        KernelMemory.CopyIn(address, source);
    }
}
