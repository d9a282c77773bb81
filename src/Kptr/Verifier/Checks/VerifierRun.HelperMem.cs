using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Memory that helpers and kfuncs read and write for the program.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Memory of this size behind a pointer may be read or written (<c>check_helper_mem_access</c>).</summary>
    /// <remarks>
    /// <c>raw</c>: Of memory the callee fills: where to note it; null where it must be initialised.
    /// <c>mayBeDead</c>: Of the stack, bytes that nothing reads may be among it.
    /// </remarks>
    public void CheckHelperMemAccess(
        int regno, int size, bool write, bool zeroSizeAllowed, RawStackArg? raw, bool mayBeDead = false)
    {
        ref readonly var reg = ref Reg(regno);
        switch (reg.Type.Base())
        {
            case RegType.PtrToPacket or RegType.PtrToPacketMeta:
                CheckPacketRange(regno, reg.Off, size, zeroSizeAllowed);
                return;
            case RegType.PtrToMapKey:
                if (write)
                {
                    RejectReadOnly(regno, reg);
                }

                CheckMemRegion(regno, reg.Off, size, (uint)reg.Map!.KeySize, zeroSizeAllowed: false);
                return;
            case RegType.PtrToMapValue:
                CheckMapAccessType(reg.Map!, reg.Off, size, write);
                CheckMapAccess(regno, reg.Off, size, zeroSizeAllowed, byHelper: true);
                return;
            case RegType.PtrToMem or RegType.PtrToBuf:
                CheckHelperBuffer(regno, reg, size, write, zeroSizeAllowed);
                return;
            case RegType.PtrToStack:
                CheckStackRangeInitialized(
                    regno, reg.Off, size, write, zeroSizeAllowed, byHelper: true, raw, mayBeDead);
                return;
            case RegType.PtrToBtfId when Kernel.Profile.ReadsObjectsAsMemory:
                CheckBtfAccess(regno, reg.Off, size, write && Kernel.Profile.ChecksBtfWrites, -1);
                return;
            case RegType.PtrToCtx when Hook.IsContextIndexed:
                CheckMemRegion(regno, reg.Off, size, ushort.MaxValue, zeroSizeAllowed);
                return;
            case RegType.PtrToCtx when IsCtxPlainMemory:
                CheckHelperCtx(regno, size, write, zeroSizeAllowed);
                return;
            default:
                if (!(zeroSizeAllowed && size == 0 && reg.IsNull))
                {
                    Reject(DiagCode.CallArgInvalid,
                        $"R{regno} type={RegTypeName(reg.Type)} expected={RegTypeName(RegType.PtrToStack)}",
                        regno, Errno.EACCES);
                }

                return;
        }
    }

    private void CheckHelperBuffer(int regno, in RegState reg, int size, bool write, bool zeroSizeAllowed)
    {
        if (write && reg.Type.IsReadOnly())
        {
            RejectReadOnly(regno, reg);
        }

        if (reg.Type.Base() == RegType.PtrToMem)
        {
            CheckMemRegion(regno, reg.Off, size, (uint)reg.MemSize, zeroSizeAllowed);
        }
        else
        {
            CheckBufferAccess(reg.Type.IsReadOnly() ? "rdonly" : "rdwr", reg, regno, reg.Off, size);
        }
    }

    /// <summary>
    /// Program types whose context is memory the program may use as it likes (no <c>convert_ctx_access</c>).
    /// </summary>
    private bool IsCtxPlainMemory => Kernel.Profile.OnlySyscallContextIsMemory
        ? RunType == Specs.ProgType.Syscall
        : RunType is Specs.ProgType.Syscall or Specs.ProgType.Kprobe or Specs.ProgType.Tracepoint
            or Specs.ProgType.RawTracepoint or Specs.ProgType.RawTracepointWritable or Specs.ProgType.Tracing
            or Specs.ProgType.Lsm or Specs.ProgType.StructOps or Specs.ProgType.LircMode2 or Specs.ProgType.Netfilter;

    private void CheckHelperCtx(int regno, int size, bool write, bool zeroSizeAllowed)
    {
        if (size != 0)
        {
            CheckMemAccess(regno, size - 1, 1, write, -1);
        }
        else if (!zeroSizeAllowed)
        {
            Reject(DiagCode.CallArgInvalid, "invalid zero-sized read", regno, Errno.EACCES);
        }
    }

    /// <summary>
    /// A pointer and the size after it (<c>check_mem_size_reg</c>); <paramref name="regno"/> is the size.
    /// </summary>
    public void CheckMemSizeReg(int regno, bool write, bool zeroSizeAllowed, RawStackArg raw)
    {
        ref readonly var reg = ref Reg(regno);
        raw.SizeMax = reg.Var.UMax;
        if (reg.Var.SMin < 0)
        {
            Reject(DiagCode.CallArgInvalid,
                $"R{regno} min value is negative, either use unsigned or 'var &= const'", regno, Errno.EACCES);
        }

        if (reg.Var.UMin == 0 && !zeroSizeAllowed)
        {
            Reject(DiagCode.CallArgInvalid,
                $"R{regno} invalid zero-sized read: u64=[{(long)reg.Var.UMin},{(long)reg.Var.UMax}]",
                regno, Errno.EACCES);
        }

        if (reg.Var.UMax >= Limits.MaxVarSize)
        {
            Reject(DiagCode.CallArgInvalid,
                $"R{regno} unbounded memory access, use 'var &= const' or 'if (var < const)'", regno, Errno.EACCES);
        }

        CheckHelperMemAccess(regno - 1, (int)reg.Var.UMax, write, zeroSizeAllowed, reg.Var.IsConst ? raw : null);
        MarkChainPrecision(regno);
    }

    /// <summary>Memory of a known size that may be read and written; null is fine (<c>check_mem_reg</c>).</summary>
    public void CheckMemReg(int regno, int memSize)
    {
        ref var reg = ref Reg(regno);
        if (reg.IsNull)
        {
            return;
        }

        var saved = reg;
        var mayBeNull = reg.Type.MayBeNull();
        if (mayBeNull)
        {
            MarkNotNull(ref reg);
        }

        CheckHelperMemAccess(regno, memSize, write: false, zeroSizeAllowed: true, raw: null, mayBeDead: true);
        CheckHelperMemAccess(regno, memSize, write: true, zeroSizeAllowed: true, raw: null, mayBeDead: true);
        if (mayBeNull)
        {
            reg = saved;
        }
    }
}
