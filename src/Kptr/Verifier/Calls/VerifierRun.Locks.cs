using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Spin locks, plain and resilient ones.</content>
internal sealed partial class VerifierRun
{
    // What a lock that could not be taken returns: an errno.
    private const int ErrnoMax = 4095;

    private const BtfFieldKind AnyLock = BtfFieldKind.SpinLock | BtfFieldKind.ResSpinLock;

    private static string LockName(LockKind kind) => kind == LockKind.Spin ? "bpf_spin" : "bpf_res_spin";

    private void CheckResLockArg(int i, KfuncInfo fn)
    {
        if (InRbtreeCallback)
        {
            Reject(DiagCode.LockMisuse, "can't res_spin_{lock,unlock} in rbtree cb", i + 1, Errno.EACCES);
        }

        if (Reg(i + 1).Type is not (RegType.PtrToMapValue or LocalObject))
        {
            Reject(DiagCode.CallArgType, $"{ArgName(i)} doesn't point to map value or allocated object", i + 1);
        }

        ProcessSpinLock(i + 1, fn.IsLock, fn.LockKindOf!.Value);
    }

    /// <summary>Kernel: <c>process_spin_lock</c>.</summary>
    private void ProcessSpinLock(int regno, bool isLock, LockKind kind)
    {
        if (kind == LockKind.Spin && InRbtreeCallback)
        {
            Reject(DiagCode.LockMisuse, "can't spin_{lock,unlock} in rbtree cb", regno, Errno.EACCES);
        }

        ref readonly var reg = ref Reg(regno);
        CheckLockPlace(regno, reg, kind);
        var owner = LockOwnerOf(reg);
        if (isLock)
        {
            if (kind == LockKind.Spin && Cur.LockHeld)
            {
                Reject(DiagCode.LockMisuse, "Locking two bpf_spin_locks are not allowed", regno);
            }

            if (Cur.Lock?.Find(owner, reg.Id) is { Kind: not LockKind.Spin })
            {
                Reject(DiagCode.LockMisuse, "Acquiring the same lock again, AA deadlock detected", regno);
            }

            Cur.Lock = new(kind, owner, reg.Id, Cur.Lock);
            return;
        }

        Unlock(regno, owner, reg.Id, kind);
    }

    private void Unlock(int regno, object owner, int id, LockKind kind)
    {
        if (Cur.Lock is not { } last)
        {
            Reject(DiagCode.LockMisuse, $"{LockName(kind)}_unlock without taking a lock", regno);
            return;
        }

        if (last.Find(owner, id) is not { } held || held.Kind != kind)
        {
            Reject(DiagCode.LockMisuse, $"{LockName(kind)}_unlock of different lock", regno);
        }
        else if (held != last)
        {
            Reject(DiagCode.LockMisuse, $"{LockName(kind)}_unlock cannot be out of order", regno);
        }

        // What RCU kept stays as an untrusted pointer; the other pointers without a reference go with the lock.
        var wasInRcu = InRcuCs;
        Cur.Lock = last.Outer;
        if (wasInRcu && !InRcuCs && Kernel.Profile.NestsRcuSections)
        {
            LoseRcuPointers();
        }

        InvalidateNonOwningRefs();
    }

    private static object LockOwnerOf(in RegState reg) => reg.Type == RegType.PtrToMapValue ? reg.Map! : reg.Btf!;

    private void CheckLockPlace(int regno, in RegState reg, LockKind kind)
    {
        var name = LockName(kind) + "_lock";
        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.LockMisuse,
                $"R{regno} doesn't have constant offset. {name} has to be at the constant offset", regno);
        }

        var map = reg.Type == RegType.PtrToMapValue ? reg.Map : null;
        if (map is not null)
        {
            RequireMapBtf(map, name, regno);
        }

        var lockField = FieldOfKind(
            RecordOf(reg), kind == LockKind.Spin ? BtfFieldKind.SpinLock : BtfFieldKind.ResSpinLock);
        if (lockField is null)
        {
            var where = map is null ? "local 'kptr'" : $"map '{map.Name}'";
            Reject(DiagCode.LockMisuse, $"{where} has no valid {name}", regno);
        }

        var at = (long)reg.Var.ConstValue + reg.Off;
        if (lockField!.OffsetBytes != at)
        {
            Reject(DiagCode.LockMisuse,
                $"off {at} doesn't point to 'struct {name}' that is at {lockField.OffsetBytes}", regno);
        }
    }

    // A resilient lock may not be taken: on the path saved for later it was not, and an errno says why.
    private void PushFailedLock()
    {
        var failed = PushStack(InsnIdx + 1, InsnIdx);
        for (var i = 0; i <= 5; i++)
        {
            failed.Cur.Regs[i].MarkNotInit();
        }

        ref var r0 = ref failed.Cur.Regs[0];
        r0.MarkUnknown(AlwaysPrecise);
        Numbers.ClampS32(ref r0.Var, -ErrnoMax, -1);
        failed.Cur.Live.WriteReg(0);
    }
}
