using Kptr.Isa;

namespace Kptr.Verifier;

#pragma warning disable CA1822
/// <content>Placeholders that refuse, until the call checks land.</content>
internal sealed partial class VerifierRun
{
    private CallTraits TraitsOf(in BpfInsn insn) => CallTraits.None;
    private void CheckHelperCall(in BpfInsn insn) => Unsupported(Diagnostics.DiagCode.UnsupportedProgType, "helpers");
    private void CheckKfuncCall(in BpfInsn insn) => Unsupported(Diagnostics.DiagCode.UnsupportedProgType, "kfuncs");
    private void CheckKfuncExists(int insnIdx) => Unsupported(Diagnostics.DiagCode.UnsupportedProgType, "kfuncs");
    private void DestroyIfDynptrSlot(FuncState frame, int slot) { _ = (frame, slot); }
    private void CheckFuncArgRegOff(in RegState reg, int regno, bool isDynptrArg, bool isRelease) { }
    private void CheckGlobalDynptrArg(int regno) => Unsupported(Diagnostics.DiagCode.UnsupportedProgType, "dynptr");
    private void CheckGlobalBtfArg(int regno, in SubprogArg arg) => Unsupported(Diagnostics.DiagCode.UnsupportedProgType, "btf");
    private void CheckBtfStructWrite(int regno, in RegState reg, int off, int size) => Unsupported(Diagnostics.DiagCode.UnsupportedProgType, "w");
    private bool HasBtfStructWrite => false;
    private void CheckAfterExploring() { }
    private CtxAccess? CheckCtx(int off, int size, bool write, bool isLdsx) => null;
    private RetRange? RetvalRange() => null;
    private void CheckReturnCode(int regno, string regName) => CheckRegArg(regno, RegUse.Src);
    private void RejectScalarRange(in RegState reg, int regno, RetRange range, string where, string regName) => Reject(Diagnostics.DiagCode.ReturnValueInvalid, where);
    private void CheckAttachTarget() { }
}
