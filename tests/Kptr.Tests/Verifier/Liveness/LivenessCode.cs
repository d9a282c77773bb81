using Kptr.Btf;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.Cfg;
using Kptr.Verifier.Liveness;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Liveness;

/// <summary>Code and what is dead in it, with no verifier. Names are labels, or <c>map</c> and its value.</summary>
internal sealed class LivenessCode : IMapFacts
{
    public const uint Frozen = 0x11223344;
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux7_2);
    private readonly CallTable _calls;
    private readonly MapSpec _map = new("map", BpfMapType.Array) { KeySize = 4, ValueSize = 24, MaxEntries = 1 };

    public LivenessCode(string asm)
    {
        var code = TextAssembler.Assemble(asm, HelperOf);
        Insns = [.. code.Insns];
        foreach (var symbol in code.Symbols)
        {
            ref var insn = ref Insns[symbol.InsnIdx];
            insn = symbol.Kind == AsmSymbolKind.Call ? KfuncCall(symbol.Name)
                : code.Labels.TryGetValue(symbol.Name, out var at)
                    ? new(BpfOp.LdImm64, insn.Dst, BpfOp.PseudoFunc, 0, at - symbol.InsnIdx - 1)
                    : new(BpfOp.LdImm64, insn.Dst,
                        symbol.Name == "map" ? BpfOp.PseudoMapFd : BpfOp.PseudoMapValue, 0, 0);
        }

        var prog = new ProgSpec("p", ProgType.Syscall, [.. Insns]) { License = "GPL" };
        _calls = new(prog, s_kernel, Insns, isCapable: true);
        Subprogs = new SubprogReader(prog, Insns, null, _calls).Read(bpfCapable: true);
        Marks = new CfgWalk(Insns, Subprogs, loopsAllowed: true, _calls).Run();
        Known = new(Insns, Subprogs, new(Insns, Subprogs), maps: this, maybes: []);
        Cut = DeadBranches.Cut(Insns, Known);
        var order = new PostOrder(Insns, Subprogs);
        var sorted = new CallOrder(Insns, Subprogs, order).Sort();
        Stack = new(Insns, Marks, Subprogs, order, sorted, Known, new StackUses(_calls, Insns, [_map]));
    }

    public BpfInsn[] Insns { get; }

    public SubprogTable Subprogs { get; }

    public CodeMarks[] Marks { get; }

    public ConstantRegs Known { get; }

    public StackLiveness Stack { get; }

    /// <summary>Whether a branch was cut.</summary>
    public bool Cut { get; }

    public DeadPlaces DeadPlaces => new(new LiveRegisters(Insns, _calls), Stack, Subprogs, alwaysPrecise: false);

    /// <summary>What is live of the main program's stack before an instruction, as the offsets of halves.</summary>
    public string Live(int at) => Text(Stack.Find(0, 0)!.LiveBefore(0, at));

    /// <summary>The same of some frame of a function that was called at one place in one depth.</summary>
    public string Live(int callsite, int depth, int frame, int at) =>
        Text(Stack.Find(callsite, depth)!.LiveBefore(frame, at));

    public static string Text(SlotSet set) => set == SlotSet.All ? "all" : string.Join(
        ' ', Enumerable.Range(0, SlotSet.Count).Where(i => (set & SlotSet.Range(i, i)) != default)
            .Select(i => -4 * (i + 1)));

    /// <summary>A state in the main program, and in functions called at these places.</summary>
    public VerifierState StateIn(params int[] callsites)
    {
        var state = new VerifierState { CurFrame = callsites.Length };
        for (var f = 0; f <= callsites.Length; f++)
        {
            var at = f == 0 ? 0 : callsites[f - 1];
            var subprog = f == 0 ? 0 : Subprogs.Find(at + Insns[at].Imm + 1);
            state.Frames[f] = new();
            state.Frames[f]!.Init(f == 0 ? -1 : at, f, subprog);
        }

        return state;
    }

    (int Map, int Off) IMapFacts.MapAt(int insnIdx) => (0, 0);

    bool IMapFacts.TryLoad(int map, int off, in BpfInsn load, out ulong value)
    {
        value = Frozen;
        return off == 8;
    }

    private static BpfInsn KfuncCall(string name)
    {
        var at = s_kernel.Types.Find(name, BtfKind.Func)!.Value;
        return new((byte)InsnClass.Jmp | BpfOp.Call, 0, BpfOp.PseudoKfuncCall, (short)at.BtfIdx, at.TypeId);
    }

    private static int? HelperOf(string name) =>
        HelperTable.All.FirstOrDefault(h => h.Name == name) is { } h ? (int)h.Id : null;
}
