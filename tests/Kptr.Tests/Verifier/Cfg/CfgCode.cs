using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier;
using Kptr.Verifier.Cfg;

namespace Kptr.Tests.Verifier.Cfg;

/// <summary>The shape of some code, with no verifier around it: what calls do is said by the helper's number.</summary>
internal sealed class CfgCode(params BpfInsn[] insns) : ICallFacts
{
    public const int Throws = 901;
    public const int RunsCallback = 902;
    public const int MovesPacket = 903;
    public const int IsIterNext = 904;
    public const int ClobbersR0 = 905;
    public const int ClobbersR0AndCalls = 906;

    public BpfInsn[] Insns => insns;

    /// <summary>Kfuncs that were asked after, by the place of their call.</summary>
    public List<int> AskedKfuncs { get; } = [];

    public SubprogTable Subprogs(bool capable = true) =>
        new SubprogReader(new ProgSpec("p", ProgType.SocketFilter, [.. insns]), insns, null, this).Read(capable);

    public CodeMarks[] Marks(SubprogTable? subprogs = null, bool loops = true) =>
        new CfgWalk(insns, subprogs ?? Subprogs(), loops, this).Run();

    public void CheckStack(SubprogTable subprogs) =>
        new StackDepth(insns, subprogs, KernelProfile.Linux6_12, this, at: 0).Check();

    public static (DiagCode Code, int? InsnIdx) Refusal(Action act)
    {
        var diagnostic = act.Should().Throw<RejectException>().Which.Diagnostic;
        return (diagnostic.Code, diagnostic.InsnIdx);
    }

    public CallTraits TraitsOf(in BpfInsn insn) => insn.Imm switch
    {
        Throws => CallTraits.Throw,
        RunsCallback => CallTraits.SyncCallback,
        MovesPacket => CallTraits.ChangesPktData,
        IsIterNext => CallTraits.IterNext,
        _ => CallTraits.None,
    };

    public void CheckKfuncExists(int insnIdx) => AskedKfuncs.Add(insnIdx);

    public uint ClobberedBy(in BpfInsn insn, out bool inlined)
    {
        inlined = insn.Imm == ClobbersR0;
        return insn.Imm is ClobbersR0 or ClobbersR0AndCalls ? 1 : FastcallSpills.CallerSavedMask;
    }
}
