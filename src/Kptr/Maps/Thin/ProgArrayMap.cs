using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_PROG_ARRAY</c>: programs by index, for tail calls.</summary>
/// <remarks>
/// Emptied when its last user-space reference goes, as in Linux. Belongs to programs like the first that uses it or is
/// put into it, by type, attach type, prototype and storage. Kernel: <c>arraymap.c</c> (6.12).
/// </remarks>
public sealed class ProgArrayMap : ObjectArray
{
    private readonly Func<object, int> _idOf;

    /// <summary>Makes a program array.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    /// <param name="core">The kernel.</param>
    /// <param name="spec">The blueprint.</param>
    /// <param name="idOf">A program's id, which user space reads; null gives 0.</param>
    public ProgArrayMap(KernelCore core, MapSpec spec, Func<object, int>? idOf = null)
        : base(core, MapRules.Admit(core, spec, BpfMapType.ProgArray))
    {
        _idOf = idOf ?? (static _ => 0);
    }

    /// <summary>Puts a program in; null takes it out.</summary>
    /// <returns><see cref="Errno.E2BIG"/> past the end, <see cref="Errno.EINVAL"/> for a <c>BpfProgram</c> of another
    /// kind than those whose array it is.</returns>
    /// <exception cref="ArgumentException">The program is another kernel's.</exception>
    public Errno Set(uint index, object? program)
    {
        if (program is not IMapUser user)
        {
            return Exchange(index, program, out _);
        }

        if (user.Core != Core)
        {
            throw new ArgumentException($"{program} is of another kernel than {this}", nameof(program));
        }

        return index < MaxEntries && !user.TryUse(this) ? Errno.EINVAL : Exchange(index, program, out _);
    }

    /// <summary>The program at an index, or null.</summary>
    public object? TargetAt(uint index) => ItemAt(index);

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (ItemAt(ArrayKeys.IndexOf(key)) is not { } program)
        {
            return Errno.ENOENT;
        }

        BinaryPrimitives.WriteInt32LittleEndian(value, _idOf(program));
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override void ReleaseUserRef() => Clear();
}
