using Kptr.Diagnostics;

namespace Kptr.Maps;

// Values of per-CPU maps: which CPUs a caller writes, and with what.
public abstract partial class BpfMap
{
    private const MapUpdateFlags CpuFlags = MapUpdateFlags.Cpu | MapUpdateFlags.AllCpus;

    private bool HasCpuFlags => Core.Spec.Profile.HasPercpuFlags;

    /// <summary>Writes the values of a new element: what the caller brings, and zeros where that is nothing.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="slot">The element's slot.</param>
    /// <param name="value">One value, or one per CPU.</param>
    /// <param name="caller">Who asks for it.</param>
    /// <remarks>Special fields keep what the slot's last tenant left in them.</remarks>
    protected void InitValue(ValuePool pool, int slot, ReadOnlySpan<byte> value, in MapCall caller)
    {
        CheckSlot(pool, slot);
        if (!IsPerCpu)
        {
            Layout.CopyIn(pool.ValueOf(slot), value);
            return;
        }

        for (var place = 0; place < Core.PossibleCpus.Length; place++)
        {
            var cpu = Core.PossibleCpus[place];
            if (caller.Writes(cpu))
            {
                Layout.CopyIn(pool.ValueOf(slot, cpu), PartOf(value, place, caller));
            }
            else
            {
                // The other CPUs must not see what the last tenant left (c3a66e5f5bab, 2026).
                Layout.ZeroPlain(pool.ValueOf(slot, cpu));
            }
        }
    }

    /// <summary>See <see cref="DyingFields.Overwrite"/>.</summary>
    internal void WriteValue(
        ValuePool pool, int slot, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller,
        ref DyingValues dying)
    {
        if (!IsPerCpu)
        {
            CopyIn(pool.ValueOf(slot), value, flags);
            dying.RecycleAt(pool.ValueOf(slot));
            return;
        }

        for (var place = 0; place < Core.PossibleCpus.Length; place++)
        {
            var cpu = Core.PossibleCpus[place];
            if (caller.Writes(cpu))
            {
                Layout.CopyIn(pool.ValueOf(slot, cpu), PartOf(value, place, caller));
                dying.RecycleAt(pool.ValueOf(slot, cpu));
            }
        }
    }

    /// <summary>Copies a value out for a caller: one, or one per CPU; special fields read as zero.</summary>
    /// <param name="target">Room for one value or for all.</param>
    /// <param name="pool">The pool.</param>
    /// <param name="slot">The element's slot.</param>
    /// <param name="flags">With <see cref="MapUpdateFlags.Lock"/>, under the value's own spin lock.</param>
    /// <param name="caller">Who asks for it.</param>
    protected void ReadValue(Span<byte> target, ValuePool pool, int slot, MapUpdateFlags flags, in MapCall caller)
    {
        CheckSlot(pool, slot);
        CheckCpu(caller.ValueCpu);
        if (!IsPerCpu || caller.HasOnePart)
        {
            CopyOut(target, pool.ValueOf(slot, IsPerCpu ? caller.ValueCpu : 0), flags & MapUpdateFlags.Lock);
            return;
        }

        // By place and not by id: ids of possible CPUs may have holes (75b0a6db4300, 2026).
        for (var place = 0; place < Core.PossibleCpus.Length; place++)
        {
            CopyOut(target[(place * Layout.StrideBytes)..], pool.ValueOf(slot, Core.PossibleCpus[place]));
        }
    }

    /// <summary>Bytes of a value in a system call with these flags.</summary>
    internal int UserBytesOf(MapUpdateFlags flags) => IsPerCpu && (flags & CpuFlags) != 0 ? ValueSize : UserValueSize;

    /// <summary>A system call with these flags, which were checked.</summary>
    private protected MapCall UserCall(MapUpdateFlags flags) =>
        !HasCpuFlags || (flags & CpuFlags) == 0 ? MapCall.User(Core.CurrentCpu)
        : (flags & MapUpdateFlags.Cpu) != 0 ? MapCall.UserFor(Core.CurrentCpu, (int)MapCpu.Of(flags))
        : MapCall.UserForAll(Core.CurrentCpu);

    private ReadOnlySpan<byte> PartOf(ReadOnlySpan<byte> value, int place, in MapCall caller) =>
        caller.HasOnePart ? value : value.Slice(place * Layout.StrideBytes, Layout.StrideBytes);

    // Kernel: bpf_map_check_op_flags (include/linux/bpf.h, 7.2). Older kernels know the lock flag
    // only, and look at all 64 bits.
    private Errno CheckFlags(MapUpdateFlags flags, MapUpdateFlags allowed)
    {
        var isAll = allowed == ~MapUpdateFlags.Any;
        var unknown = HasCpuFlags ? (MapUpdateFlags)(uint)flags & ~allowed : isAll ? 0 : flags & ~(allowed & ~CpuFlags);
        if (unknown != 0 || ((flags & MapUpdateFlags.Lock) != 0 && !HasLock))
        {
            return Errno.EINVAL;
        }

        var isOne = (flags & MapUpdateFlags.Cpu) != 0;
        var isBad = (!isOne && MapCpu.Of(flags) != 0) || ((flags & CpuFlags) != 0 && !IsPerCpu)
            || (flags & CpuFlags) == CpuFlags;
        return !HasCpuFlags ? Errno.None
            : isBad ? Errno.EINVAL
            : isOne && !IsPossible(MapCpu.Of(flags)) ? Errno.ERANGE : Errno.None;
    }

    // What is left of an update's flags for a per-CPU map of 7.2: create and replace count only where they are alone.
    private static Errno TakeCpus(ref MapUpdateFlags flags)
    {
        if ((flags & MapUpdateFlags.Lock) != 0 || (uint)flags > (uint)MapUpdateFlags.AllCpus)
        {
            return Errno.EINVAL;
        }

        flags = flags is MapUpdateFlags.NoExist or MapUpdateFlags.Exist ? flags : MapUpdateFlags.Any;
        return Errno.None;
    }

    private bool IsPossible(uint cpu) => cpu < (uint)Core.CpuCount && Core.PossibleCpus.Contains((int)cpu);
}
