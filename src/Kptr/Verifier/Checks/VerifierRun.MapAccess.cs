using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Map values and the special fields in them.</content>
internal sealed partial class VerifierRun
{
    private void CheckMapValueAccess(
        int regno, ref RegState reg, int off, int size, bool write, int valueRegno, bool isLdsx)
    {
        CheckLeak(write, valueRegno, "map");
        CheckMapAccessType(reg.Map!, off, size, write);
        CheckMapAccess(regno, off, size, zeroSizeAllowed: false, byHelper: false);
        var kptr = reg.Var.IsConst
            ? FieldStartingAt(reg.Map!.Record, off + (int)reg.Var.ConstValue, BtfFieldKind.Kptr | BtfFieldKind.Uptr)
            : null;
        if (kptr is not null)
        {
            CheckMapKptrAccess(regno, valueRegno, kptr);
        }
        else if (!write && valueRegno >= 0)
        {
            LoadFromMap(reg, off, size, valueRegno, isLdsx);
        }
    }

    /// <summary>A load from a map whose content cannot change any more is a constant.</summary>
    private void LoadFromMap(in RegState reg, int off, int size, int valueRegno, bool isLdsx)
    {
        if (!reg.Var.IsConst
            || !TryLoadConstant(reg.Map!, off + (int)reg.Var.ConstValue, size, isLdsx, out var value))
        {
            MarkRegUnknown(valueRegno);
            return;
        }

        ref var dst = ref Reg(valueRegno);
        dst.MarkKnown(value);
        dst.Type = RegType.Scalar;
    }

    private static bool HasDirectValue(MapSpec map) => map.Type is BpfMapType.Array or BpfMapType.Arena;

    /// <summary>The special field that starts exactly here.</summary>
    private static BtfField? FieldStartingAt(BtfRecord record, int off, BtfFieldKind kinds)
    {
        foreach (var field in record.Fields)
        {
            if (field.OffsetBytes == off && (field.Kind & kinds) != 0)
            {
                return field;
            }
        }

        return null;
    }

    public void CheckMapAccessType(MapSpec map, int off, int size, bool write)
    {
        if (write ? (map.FlagsInKernel & MapFlags.RdOnlyProg) != 0 : (map.Flags & MapFlags.WrOnlyProg) != 0)
        {
            var what = write ? "write into" : "read from";
            Reject(DiagCode.ReadOnlyWrite,
                $"{what} map forbidden, value_size={map.ValueSize} off={off} size={size}", errno: Errno.EACCES);
        }
    }

    /// <summary>Inside the value, and no special field is touched but a kptr by a plain 8-byte access.</summary>
    public void CheckMapAccess(int regno, int off, int size, bool zeroSizeAllowed, bool byHelper)
    {
        ref readonly var reg = ref Reg(regno);
        CheckMemRegion(regno, off, size, (uint)reg.Map!.ValueSize, zeroSizeAllowed);
        foreach (var field in reg.Map.Record.Fields)
        {
            var p = field.OffsetBytes;
            if (reg.Var.SMin + off >= p + field.SizeBytes || p >= (long)reg.Var.UMax + off + size)
            {
                continue;
            }

            if ((field.Kind & (BtfFieldKind.Kptr | BtfFieldKind.Uptr)) == 0)
            {
                Reject(DiagCode.SpecialFieldAccess,
                    $"{FieldKindName(field.Kind)} cannot be accessed directly by load/store", regno, Errno.EACCES);
            }

            CheckKptrTouch(regno, reg, off, size, p, byHelper);
        }
    }

    private void CheckKptrTouch(int regno, in RegState reg, int off, int size, int field, bool byHelper)
    {
        if (byHelper)
        {
            Reject(DiagCode.KptrAccessInvalid, "kptr cannot be accessed indirectly by helper", regno, Errno.EACCES);
        }

        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.KptrAccessInvalid, "kptr access cannot have variable offset", regno, Errno.EACCES);
        }

        var at = (ulong)off + reg.Var.ConstValue;
        if ((ulong)field != at)
        {
            Reject(DiagCode.KptrAccessInvalid, $"kptr access misaligned expected={field} off={at}",
                regno, Errno.EACCES);
        }

        if (size != 8)
        {
            Reject(DiagCode.KptrAccessInvalid, "kptr access size must be BPF_DW", regno, Errno.EACCES);
        }
    }

    private void CheckMapKptrAccess(int regno, int valueRegno, BtfField field)
    {
        ref readonly var insn = ref Insns[InsnIdx];
        if ((insn.Opcode & Isa.BpfOp.ModeMask) != Isa.BpfOp.Mem)
        {
            Reject(DiagCode.KptrAccessInvalid, "kptr in map can only be accessed using BPF_MEM instruction mode",
                regno, Errno.EACCES);
        }

        var isLoad = insn.Class == Isa.InsnClass.Ldx;
        if (!isLoad && field.Kind is BtfFieldKind.KptrRef or BtfFieldKind.KptrPercpu && !isLoad)
        {
            Reject(DiagCode.KptrStore, "store to referenced kptr disallowed", regno, Errno.EACCES);
        }

        if (!isLoad && field.Kind == BtfFieldKind.Uptr)
        {
            Reject(DiagCode.KptrStore, "store to uptr disallowed", regno, Errno.EACCES);
        }

        if (isLoad && field.Kind == BtfFieldKind.Uptr)
        {
            MarkUptrLoaded(valueRegno, field);
        }
        else if (isLoad)
        {
            MarkBtfLdReg(valueRegno, RegType.PtrToBtfId, PointeeBtf(field), PointeeId(field), LoadedKptrFlags(field));
        }
        else if (insn.Class == Isa.InsnClass.Stx)
        {
            if (Reg(valueRegno).IsNull)
            {
                MarkChainPrecision(valueRegno);
            }
            else
            {
                CheckKptrMatchesType(field, Reg(valueRegno), valueRegno);
            }
        }
        else if (insn.Imm != 0)
        {
            Reject(DiagCode.KptrAccessInvalid,
                $"BPF_ST imm must be 0 when storing to kptr at off={field.OffsetBytes}", regno, Errno.EACCES);
        }
    }

    /// <summary>A page of user space that the kernel has pinned: memory, or null (<c>mark_uptr_ld_reg</c>).</summary>
    private void MarkUptrLoaded(int regno, BtfField field)
    {
        ref var reg = ref Reg(regno);
        reg.MarkKnownZero(RegType.PtrToMem | RegType.MaybeNull);
        reg.MemSize = field.Pointee.SizeBytes;
        reg.Id = NewId();
    }

    /// <summary>The BTF that kptrs of this field point into; a program's own for local objects.</summary>
    internal static BtfSpec PointeeBtf(BtfField field) => field.Pointee.Btf;

    internal static int PointeeId(BtfField field) => field.Pointee.Id;

    /// <summary>How far a kptr loaded from a map may be trusted (<c>btf_ld_kptr_type</c>).</summary>
    private RegType LoadedKptrFlags(BtfField field)
    {
        var rcuSafe = field.Kind == BtfFieldKind.KptrPercpu
            || (field.Kind == BtfFieldKind.KptrRef && (field.IsLocalPointee || IsRcuProtected(field.Pointee)));
        if (!rcuSafe || !InRcuCs || !Kernel.Profile.LoadsRcuKptrs)
        {
            return RegType.MaybeNull | RegType.PtrUntrusted;
        }

        var flags = RegType.MaybeNull | RegType.MemRcu;
        if (field.Kind == BtfFieldKind.KptrPercpu)
        {
            flags |= RegType.MemPercpu;
        }
        else if (field.IsLocalPointee)
        {
            flags |= RegType.MemAlloc;
        }

        if (field.IsLocalPointee && RecordOfType(PointeeBtf(field), PointeeId(field)).Has(BtfFieldKind.GraphNode))
        {
            flags |= RegType.NonOwnRef;
        }

        return flags;
    }

    private static bool IsRcuProtected(BtfType type) =>
        type.Name is "prog_test_ref_kfunc" or "cgroup" or "bpf_cpumask" or "task_struct" or "bpf_crypto_ctx";

    /// <summary>The pointer has the very type of the field (<c>map_kptr_match_type</c>).</summary>
    public void CheckKptrMatchesType(BtfField field, in RegState reg, int regno)
    {
        var name = "";
        if (KptrFlagsFit(field, reg))
        {
            name = reg.Btf![reg.BtfId].Name;
            CheckPtrOffReg(reg, regno, fixedOffOk: true);
            if (BtfStructWalk.IdsMatch(this, reg.Btf!, reg.BtfId, reg.Off, PointeeBtf(field), PointeeId(field),
                strict: field.Kind != BtfFieldKind.KptrUnref, walkFlexArrays: !reg.Type.Has(RegType.MemAlloc)))
            {
                return;
            }
        }

        var target = field.Pointee.Name;
        var or = field.Kind == BtfFieldKind.KptrUnref
            ? $" or {RegTypeName(RegType.PtrToBtfId | RegType.PtrUntrusted)}{target}"
            : "";
        Reject(DiagCode.KptrTypeMismatch,
            $"invalid kptr access, R{regno} type={RegTypeName(reg.Type)}{name} "
                + $"expected={RegTypeName(RegType.PtrToBtfId)}{target}{or}",
            regno, Errno.EACCES);
    }

    private bool KptrFlagsFit(BtfField field, in RegState reg)
    {
        if (reg.Type.Base() != RegType.PtrToBtfId)
        {
            return false;
        }

        var percpu = field.Kind == BtfFieldKind.KptrPercpu;
        RegType allowed;
        if (IsKernelBtf(reg.Btf!))
        {
            allowed = RegType.MaybeNull | RegType.PtrTrusted | RegType.MemRcu
                | (field.Kind == BtfFieldKind.KptrUnref ? RegType.PtrUntrusted : 0);
        }
        else
        {
            allowed = RegType.MaybeNull | RegType.MemAlloc | (percpu ? RegType.MemPercpu : 0);
        }

        return (reg.Type.Flags() & ~allowed) == 0 && percpu == reg.Type.Has(RegType.MemPercpu);
    }

    /// <summary>Whether a BTF is the kernel's or a module's, not the program's.</summary>
    public bool IsKernelBtf(BtfSpec btf) => !ReferenceEquals(btf, Prog.Btf);

    /// <summary>Name of a special field's kind as messages print it (<c>btf_field_type_name</c>).</summary>
    public static string FieldKindName(BtfFieldKind kind) => kind switch
    {
        BtfFieldKind.SpinLock => "bpf_spin_lock",
        BtfFieldKind.ResSpinLock => "bpf_res_spin_lock",
        BtfFieldKind.Timer => "bpf_timer",
        BtfFieldKind.Workqueue => "bpf_wq",
        BtfFieldKind.KptrUnref or BtfFieldKind.KptrRef => "kptr",
        BtfFieldKind.KptrPercpu => "percpu_kptr",
        BtfFieldKind.ListHead => "bpf_list_head",
        BtfFieldKind.ListNode => "bpf_list_node",
        BtfFieldKind.RbRoot => "bpf_rb_root",
        BtfFieldKind.RbNode => "bpf_rb_node",
        BtfFieldKind.Refcount => "bpf_refcount",
        _ => "unknown",
    };

    /// <summary>Fields of the kernel's own <c>struct bpf_map</c> may be read through a map pointer.</summary>
    private void CheckMapPtrAccess(int regno, in RegState reg, int off, int size, bool write, int valueRegno)
    {
        var name = MapStructNames.Of(reg.Map!.Type);
        var id = name is null ? 0 : Vmlinux.FindId(name, BtfKind.Struct);
        if (name is not null && !AllowPtrLeaks)
        {
            Reject(DiagCode.PrivilegeMissing,
                $"'struct {name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN", regno, Errno.EPERM);
        }

        if (id == 0)
        {
            if (name is null)
            {
                Reject(DiagCode.MemAccessInvalid,
                    $"map_ptr access not supported for map type {(int)reg.Map.Type}", regno, Errno.ENOTSUPP);
            }

            Unsupported(DiagCode.UnsupportedKernelType, $"the kernel BTF has no struct {name}");
        }

        if (off < 0)
        {
            Reject(DiagCode.MemAccessInvalid, $"R{regno} is {name} invalid negative access: off={off}",
                regno, Errno.EACCES);
        }

        if (write)
        {
            Reject(DiagCode.ReadOnlyWrite, $"only read from {name} is supported", regno, Errno.EACCES);
        }

        var walk = BtfStructWalk.Access(this, Vmlinux, id, off, size, RegType.PtrToBtfId);
        if (valueRegno >= 0)
        {
            MarkBtfLdReg(valueRegno, walk.Type, Vmlinux, walk.BtfId, walk.Flags);
        }
    }
}
