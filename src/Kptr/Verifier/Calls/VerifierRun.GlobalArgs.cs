using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Arguments of global functions that are checked as a helper's would be.</content>
internal sealed partial class VerifierRun
{
    private readonly HelperCallMeta _noHelper = new();

    private void CheckGlobalDynptrArg(int regno) => ProcessDynptr(regno, RegType.MemRdOnly, parentRefObjId: 0);

    private void CheckGlobalBtfArg(int regno, in SubprogArg arg)
    {
        _noHelper.Reset(null);
        var kind = ArgKind.BtfId | (arg.Flags.MayBeNull() ? ArgKind.MaybeNull : 0);
        CheckRegTypeFits(regno, new HelperArg(kind), _noHelper, arg.BtfId, null);
        CheckFuncArgRegOff(Reg(regno), regno, isDynptrArg: false, isRelease: false);
    }

    /// <summary>Which offsets an argument may have (<c>check_func_arg_reg_off</c>).</summary>
    private void CheckFuncArgRegOff(in RegState reg, int regno, bool isDynptrArg, bool isRelease, bool isCtxArg = false)
    {
        if (isRelease)
        {
            if (isDynptrArg && reg.Type == RegType.PtrToStack)
            {
                return;
            }

            if (reg.Off != 0)
            {
                var trusted = Kernel.Profile.SortsKfuncArgs ? " or trusted arg to kfunc" : "";
                Reject(DiagCode.PtrModified,
                    $"R{regno} must have zero offset when passed to release func{trusted}", regno);
            }

            CheckPtrOffReg(reg, regno, fixedOffOk: false);
            return;
        }

        const RegType btf = RegType.PtrToBtfId;
        switch (reg.Type)
        {
            case RegType.PtrToStack or RegType.PtrToPacket or RegType.PtrToPacketMeta or RegType.PtrToMapKey
                or RegType.PtrToMapValue or RegType.PtrToMem or (RegType.PtrToMem | RegType.MemRdOnly)
                or (RegType.PtrToMem | RegType.MemRingbuf) or RegType.PtrToBuf or (RegType.PtrToBuf | RegType.MemRdOnly)
                or RegType.PtrToArena or RegType.Scalar:
                break;
            case btf or (btf | RegType.MemAlloc) or (btf | RegType.PtrTrusted) or (btf | RegType.MemRcu)
                or (btf | RegType.MemAlloc | RegType.NonOwnRef)
                or (btf | RegType.MemAlloc | RegType.NonOwnRef | RegType.MemRcu):
                CheckPtrOffReg(reg, regno, fixedOffOk: true);
                break;
            case RegType.PtrToCtx when !isCtxArg && Hook.IsContextIndexed:
                break;
            default:
                CheckPtrOffReg(reg, regno, fixedOffOk: false);
                break;
        }
    }
}
