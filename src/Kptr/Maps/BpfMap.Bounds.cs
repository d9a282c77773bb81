using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Maps;

// What comes from outside (callers' keys, values and CPUs, derived maps' addresses and pools) is held against the map's
// own memory here. Behind these checks nothing is asked again.
public abstract partial class BpfMap
{
    private int _keySize;
    private readonly int _cpuCount;

    // The map types of this assembly hand out addresses of their own pools; what a derived
    // class hands out is looked up.
    private readonly bool _isBuiltin;

    /// <summary>
    /// Whether <see cref="FindValue"/> gives addresses of values. Maps of maps and of sockets give other objects.
    /// </summary>
    private protected virtual bool HasValuesInMemory => !HoldsMaps;

    /// <summary>Throws unless the map was handed a key of its size by a CPU of its kernel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CheckProg(int keyLength, int cpu)
    {
        if (keyLength != _keySize || (uint)cpu >= (uint)_cpuCount)
        {
            ThrowBadCall(keyLength, cpu);
        }
    }

    private void CheckProgValue(int length, string name)
    {
        ObjectDisposedException.ThrowIf(IsFreed, this);
        if (length < ValueSize)
        {
            throw new ArgumentException($"{this} has values of {ValueSize} bytes, not {length}", name);
        }
    }

    /// <summary>Throws unless the CPU is one of the kernel's.</summary>
    internal void CheckCpu(int cpu)
    {
        if ((uint)cpu >= (uint)_cpuCount)
        {
            throw new ArgumentOutOfRangeException(nameof(cpu), cpu, $"the kernel has {_cpuCount} CPUs");
        }
    }

    /// <summary>What a search found, looked up where a derived class searched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong CheckFound(ulong found)
    {
        if (!_isBuiltin && found != 0)
        {
            CheckFoundSlow(found);
        }

        return found;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CheckFoundSlow(ulong found)
    {
        if (HoldsMaps ? FromAddress(Core, found) is null : !TryFindValue(found, out _, out _))
        {
            throw new InvalidOperationException(
                $"{GetType().Name}.{nameof(FindValue)} gave {found:x}, which is no value of {this}");
        }
    }

    /// <summary>Throws unless a value of this map begins at the address.</summary>
    /// <param name="value">The address.</param>
    /// <param name="pool">Its pool.</param>
    /// <param name="slot">Its slot.</param>
    internal void CheckValue(ulong value, out ValuePool pool, out int slot)
    {
        if (!TryFindValue(value, out pool!, out slot))
        {
            throw new ArgumentException($"no value of {this} begins at {value:x}", nameof(value));
        }
    }

    /// <summary>Throws unless the pool is this map's and has the slot.</summary>
    internal void CheckSlot(ValuePool pool, int slot)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (!pool.IsOf(this))
        {
            throw new ArgumentException($"the pool is not one of {this}", nameof(pool));
        }

        pool.CheckSlot(slot);
    }

    // What a caller of the copy routines brings; the map types of this assembly bring nothing else.
    private void CheckCopy(ulong value, MapUpdateFlags flags)
    {
        if (!_isBuiltin)
        {
            CheckValue(value, out _, out _);
        }

        if ((flags & MapUpdateFlags.Lock) != 0 && Layout.LockOffset < 0)
        {
            throw new ArgumentException($"the values of {this} have no spin lock", nameof(flags));
        }
    }

    /// <summary>A walk's callback, which looks up what a derived class shows it.</summary>
    private MapElemCallback Guarded(MapElemCallback callback) => _isBuiltin ? callback : (key, value) =>
    {
        if (!Core.Heap.TryFindRegion(key, KeySize, out _) || !TryFindValue(value, out _, out _))
        {
            throw new InvalidOperationException(
                $"{GetType().Name}.{nameof(VisitValues)} gave {key:x} and {value:x}, which are no element of {this}");
        }

        return callback(key, value);
    };

    private bool TryFindValue(ulong value, [NotNullWhen(true)] out ValuePool? pool, out int slot)
    {
        foreach (var each in _pools)
        {
            if (each.TryFind(value, out slot, out _, out var offset) && offset == 0)
            {
                pool = each;
                return true;
            }
        }

        pool = null;
        slot = 0;
        return false;
    }

    // Built-in maps trust their own code; code between them and their base would be trusted with them. What KeyedMap
    // does, a map of anybody's could.
    private static bool IsBuiltin(Type type)
    {
        var isBuiltin = type.Assembly == typeof(BpfMap).Assembly;
        for (; type.Assembly != typeof(BpfMap).Assembly; type = type.BaseType!)
        {
        }

        return isBuiltin || type == typeof(BpfMap) || type == typeof(KeyedMap) ? isBuiltin
            : throw new NotSupportedException(
                $"a map type of one's own derives from {nameof(BpfMap)} or {nameof(KeyedMap)}, not from {type.Name}");
    }

    [DoesNotReturn]
    private void ThrowBadCall(int keyLength, int cpu)
    {
        ObjectDisposedException.ThrowIf(IsFreed, this);
        CheckCpu(cpu);
        throw new ArgumentException($"{this} has keys of {KeySize} bytes, not {keyLength}");
    }

    // A field outside of the value, or across another, would let its operations reach what lies there.
    private static void CheckBlueprint(Kptr.Specs.MapSpec spec)
    {
        if (spec.KeySize < 0 || spec.ValueSize < 0)
        {
            throw new MapCreateException(spec, Errno.EINVAL);
        }

        if (spec.KeySize > ValueLayout.SizeMax || spec.ValueSize > ValueLayout.SizeMax)
        {
            throw new MapCreateException(spec, Errno.E2BIG);
        }

        var end = 0;
        foreach (var field in spec.Record.Fields.OrderBy(f => f.OffsetBytes))
        {
            var size = field.SizeBytes;
            var align = field.Kind is BtfFieldKind.SpinLock or BtfFieldKind.ResSpinLock
                or BtfFieldKind.Refcount ? sizeof(int) : sizeof(ulong);
            var needed = (field.Kind & BtfFieldKind.GraphRoot) != 0 ? 2 * sizeof(ulong) : align;
            if (field.OffsetBytes < end || size < needed || field.OffsetBytes % align != 0
                || size > spec.ValueSize - field.OffsetBytes)
            {
                throw new MapCreateException(spec, Errno.EINVAL);
            }

            end = field.OffsetBytes + size;
        }

        if (!spec.InitialValue.IsDefaultOrEmpty && spec.InitialValue.Length < spec.ValueSize)
        {
            throw new MapCreateException(spec, Errno.EINVAL);
        }
    }
}
