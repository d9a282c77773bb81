using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Reads through typed kernel pointers, and how far what they yield can be trusted.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Fields that are as safe as the pointer they are read through, by struct and field name.</summary>
    private void CheckBtfAccess(int regno, int off, int size, bool write, int valueRegno)
    {
        ref readonly var reg = ref Reg(regno);
        var name = reg.Btf![reg.BtfId].Name;
        CheckBtfPointer(regno, reg, name, off, write);
        BtfAccess access;
        if (write && !reg.Type.Has(RegType.MemAlloc) && _structWrites.HasAny)
        {
            if (_structWrites.Check(reg.Btf!.SkipModifiers(reg.BtfId), off, size) is { } fault)
            {
                Reject(fault.Code, fault.Message, regno, Errno.EACCES);
            }

            access = new(RegType.Scalar, 0, 0, null);
        }
        else
        {
            if (write && !reg.Type.IsAllocObj())
            {
                Reject(DiagCode.ReadOnlyWrite, "only read is supported", regno, Errno.EACCES);
            }

            CheckOwnedOrProtected(regno, reg);
            access = BtfStructWalk.Access(this, reg.Btf!, reg.BtfId, off, size, reg.Type);
        }

        if (!write && valueRegno >= 0)
        {
            var flags = access.Type == RegType.PtrToBtfId ? TrustOf(reg, access, name) : access.Flags;
            MarkBtfLdReg(valueRegno, access.Type, reg.Btf, access.BtfId, flags);
        }
    }

    private void CheckBtfPointer(int regno, in RegState reg, string name, int off, bool write)
    {
        if (!AllowPtrLeaks)
        {
            Reject(DiagCode.PrivilegeMissing,
                $"'struct {name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN", regno, Errno.EPERM);
        }

        if (Kernel.Profile.ChecksTypedReadLicense && !Prog.IsGplCompatible && IsKernelBtf(reg.Btf!))
        {
            Reject(DiagCode.LicenseMissing,
                $"Cannot access kernel 'struct {name}' from non-GPL compatible program", regno);
        }

        if (off < 0)
        {
            Reject(DiagCode.BtfAccessInvalid, $"R{regno} is ptr_{name} invalid negative access: off={off}",
                regno, Errno.EACCES);
        }

        if (!reg.Var.IsConstEqual(0))
        {
            Reject(DiagCode.BtfAccessInvalid,
                $"R{regno} is ptr_{name} invalid variable offset: off={off}, var_off={Tn(reg)}", regno, Errno.EACCES);
        }

        if (reg.Type.Has(RegType.MemUser | RegType.MemPercpu))
        {
            var what = reg.Type.Has(RegType.MemUser) ? "user" : "percpu";
            Reject(DiagCode.BtfAccessInvalid, $"R{regno} is ptr_{name} access {what} memory: off={off}",
                regno, Errno.EACCES);
        }

        if (write && reg.Type.Has(RegType.PtrUntrusted))
        {
            Reject(DiagCode.ReadOnlyWrite, "only read is supported", regno, Errno.EACCES);
        }
    }

    // Nothing keeps a program's object whose RCU section has ended. The kernel does not expect one here, and refuses
    // the program as a fault of its own.
    private void CheckOwnedOrProtected(int regno, in RegState reg)
    {
        if (reg.Type.Has(RegType.MemAlloc) && reg.RefObjId == 0 && !reg.Type.Has(RegType.MemRcu)
            && !reg.Type.IsNonOwningRef())
        {
            Reject(DiagCode.BtfAccessInvalid, Kernel.Profile.TrustsKfuncArgs
                ? "verifier bug: allocated object must have a referenced id"
                : "verifier internal error: ref_obj_id for allocated object must be non-zero", regno, Errno.EFAULT);
        }
    }

    /// <summary>How far a pointer read through another can be trusted.</summary>
    private RegType TrustOf(in RegState reg, in BtfAccess access, string structName)
    {
        const RegType lost = RegType.TrustedModifiers | RegType.MemRcu;
        if (reg.Type.Has(RegType.PtrUntrusted))
        {
            return RegType.PtrUntrusted;
        }

        var flags = access.Flags;
        if (!Kernel.Profile.TracksTrust)
        {
            return flags & (RegType.MemUser | RegType.MemPercpu);
        }

        if (!reg.IsTrusted && !reg.Type.IsRcu())
        {
            return flags & ~lost;
        }

        var safe = Kernel.Profile.FieldTrust;
        var field = structName + "." + access.FieldName;
        if (safe.Trusted.Contains(field))
        {
            return flags | RegType.PtrTrusted;
        }

        if (safe.TrustedOrNull.Contains(field))
        {
            return flags | RegType.PtrTrusted | RegType.MaybeNull;
        }

        if (!InRcuCs || reg.Type.MayBeNull())
        {
            return RegType.PtrUntrusted;
        }

        if (safe.Rcu.Contains(field))
        {
            return flags | RegType.MemRcu;
        }

        if (flags.Has(RegType.MemRcu) || safe.RcuOrNull.Contains(field))
        {
            flags |= RegType.MemRcu | RegType.MaybeNull;
            return safe.RcuOrNull.Contains(field) ? flags & ~RegType.PtrUntrusted : flags;
        }

        return flags.Has(RegType.MemPercpu | RegType.MemUser) ? flags : flags & ~lost;
    }
}
