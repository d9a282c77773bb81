using System.Diagnostics;
using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.Scalars;

namespace Kptr.Verifier.State;

/// <summary>
/// What is known of one register or one spilled stack slot. A mutable struct: handle it by reference.
/// </summary>
/// <remarks>Kernel: <c>struct bpf_reg_state</c> (include/linux/bpf_verifier.h, 6.12).</remarks>
internal struct RegState
{
    /// <summary>
    /// Set in <see cref="Id"/> of a scalar that differs from its linked scalars by <see cref="Off"/>.
    /// </summary>
    public const int AddConst = AddConst64 | AddConst32;

    /// <summary>The difference came of a 64-bit sum; what kernels before 7.2 know alone.</summary>
    public const int AddConst64 = int.MinValue;

    /// <summary>The difference came of a 32-bit sum, which leaves no high half.</summary>
    public const int AddConst32 = 1 << 30;

    public RegType Type;

    /// <summary>Fixed part of a pointer's offset; of linked scalars the constant difference.</summary>
    public int Off;

    /// <summary>
    /// What <see cref="Map"/> and <see cref="Btf"/> read; their meaning depends on <see cref="Type"/>.
    /// </summary>
    public object? Target;

    /// <summary>
    /// BTF id, memory size, packet range, dynptr kind, subprogram or who saved, by <see cref="Type"/>.
    /// </summary>
    public int Word0;

    /// <summary>Map uid, dynptr id, first-slot mark or iterator state and depth, by <see cref="Type"/>.</summary>
    public int Word1;

    /// <summary>A scalar's value; a pointer's variable offset.</summary>
    public ScalarRange Var;

    public int Id;
    public int RefObjId;

    /// <summary>Of <see cref="RegType.PtrToStack"/>: the frame whose stack it points into.</summary>
    public int Frameno;
    public bool Precise;

    /// <summary>The map of map pointers, values and keys.</summary>
    public MapSpec? Map
    {
        readonly get => TargetAs<MapSpec>();
        set => Target = value;
    }

    /// <summary>Of map values reached through an inner map: the id of the lookup that found the map.</summary>
    public int MapUid
    {
        readonly get => Word1;
        set => Word1 = value;
    }

    /// <summary>The BTF that <see cref="BtfId"/> is an id of.</summary>
    public BtfSpec? Btf
    {
        readonly get => TargetAs<BtfSpec>();
        set => Target = value;
    }

    public int BtfId
    {
        readonly get => Word0;
        set => Word0 = value;
    }

    /// <summary>Bytes that may be accessed through <see cref="RegType.PtrToMem"/>.</summary>
    public int MemSize
    {
        readonly get => Word0;
        set => Word0 = value;
    }

    /// <summary>Of dynptr slices: the id of the dynptr.</summary>
    public int DynptrId
    {
        readonly get => Word1;
        set => Word1 = value;
    }

    /// <summary>Of packet pointers: bytes known to be inside the packet; negative: beyond or at its end.</summary>
    public int PktRange
    {
        readonly get => Word0;
        set => Word0 = value;
    }

    public int Subprogno
    {
        readonly get => Word0;
        set => Word0 = value;
    }

    public DynptrKind DynptrKind
    {
        readonly get => (DynptrKind)Word0;
        set => Word0 = (int)value;
    }

    public bool DynptrFirstSlot
    {
        readonly get => Word1 != 0;
        set => Word1 = value ? 1 : 0;
    }

    public IterState IterState
    {
        readonly get => (IterState)(Word1 & 3);
        set => Word1 = (Word1 & ~3) | (int)value;
    }

    public int IterDepth
    {
        readonly get => Word1 >> 2;
        set => Word1 = (Word1 & 3) | (value << 2);
    }

    /// <summary>Of saved interrupt flags: whether a lock saved them, and must restore them.</summary>
    public bool IrqOfLock
    {
        readonly get => Word0 != 0;
        set => Word0 = value ? 1 : 0;
    }

    public readonly bool IsScalar => Type == RegType.Scalar;

    /// <summary>Whether it is a scalar with one value (<c>tnum_is_const</c>).</summary>
    public readonly bool IsConstScalar => Type == RegType.Scalar && Var.Bits.IsConst;

    /// <summary>Kernel: <c>register_is_null</c>.</summary>
    public readonly bool IsNull => Type == RegType.Scalar && Var.Bits.IsConst && Var.Bits.Value == 0;

    /// <summary>Whether kfuncs with trusted arguments may have it (<c>is_trusted_reg</c>).</summary>
    public readonly bool IsTrusted
    {
        get
        {
            if (RefObjId != 0)
            {
                return true;
            }

            const RegType trusted = RegType.TrustedModifiers;
            var flags = Type.Flags();
            if ((flags & ~trusted) != 0)
            {
                return false;
            }

            return flags != 0 || Type is RegType.PtrToSocket or RegType.PtrToSockCommon or RegType.PtrToTcpSock
                or RegType.ConstPtrToMap;
        }
    }

    /// <summary>Everything unknown, an uninitialised register (<c>__mark_reg_not_init</c>).</summary>
    public void MarkNotInit()
    {
        MarkUnknown(precise: false);
        Type = RegType.NotInit;
    }

    /// <summary>Any scalar (<c>__mark_reg_unknown</c>).</summary>
    /// <param name="precise">True for unprivileged programs, whose scalars are always precise.</param>
    public void MarkUnknown(bool precise)
    {
        ClearTarget();
        Type = RegType.Scalar;
        Id = 0;
        RefObjId = 0;
        Frameno = 0;
        Precise = precise;
        Var = ScalarRange.Unknown;
    }

    /// <summary>Known value or zero variable offset; <see cref="Type"/> stays (<c>__mark_reg_known</c>).</summary>
    public void MarkKnown(ulong value)
    {
        ClearTarget();
        Id = 0;
        RefObjId = 0;
        Var = ScalarRange.Const(value);
    }

    /// <summary>A pointer of this type without offset.</summary>
    public void MarkKnownZero(RegType type)
    {
        MarkKnown(0);
        Type = type;
    }

    /// <summary>Whether all that <c>memcmp</c> up to the id compares is equal: type, offset, target, value.</summary>
    public readonly bool SameValue(in RegState other) =>
        Type == other.Type && Off == other.Off && Word0 == other.Word0 && Word1 == other.Word1
        && ReferenceEquals(Target, other.Target) && Var.Equals(in other.Var);

    /// <summary>As <see cref="SameValue"/> without the value (<c>memcmp</c> up to <c>var_off</c>).</summary>
    public readonly bool SamePlace(in RegState other) =>
        Type == other.Type && Off == other.Off && Word0 == other.Word0 && Word1 == other.Word1
        && ReferenceEquals(Target, other.Target);

    /// <summary>
    /// The target as what the register's type makes of it. Debug builds hold every such read against what is there;
    /// others take it unlooked at, since this stands in the verifier's innermost loops.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly T? TargetAs<T>()
        where T : class
    {
        AssertTarget<T>();
        return Unsafe.As<T?>(Target);
    }

    [Conditional("DEBUG")]
    private readonly void AssertTarget<T>()
        where T : class
    {
        if (Target is not null and not T)
        {
            Invariant.Fail($"a register of {Type} refers to a {Target.GetType().Name}, read as a {typeof(T).Name}");
        }
    }

    private void ClearTarget()
    {
        Off = 0;
        Target = null;
        Word0 = 0;
        Word1 = 0;
    }
}

/// <summary>Kinds of dynptr, with the numbers of <c>enum bpf_dynptr_type</c>.</summary>
internal enum DynptrKind
{
    Invalid,
    Local,
    Ringbuf,
    Skb,
    Xdp,
    SkbMeta,
}

/// <summary>Where an open-coded iterator is (<c>enum bpf_iter_state</c>).</summary>
internal enum IterState
{
    /// <summary>Of slots after the first.</summary>
    Invalid,
    Active,
    Drained,
}
