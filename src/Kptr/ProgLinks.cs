using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr;

/// <summary>What the numbers in one linked program mean in one live kernel.</summary>
internal sealed class ProgLinks(KernelModel kernel, ProgSpec prog, ImmutableArray<BpfMap?> maps) : IProgLinks
{
    private const ulong SymbolBase = 0xffff_c000_0000_0000;
    private const ulong SymbolStep = 16;

    public ulong AddressOf(BpfInsn first, BpfInsn second)
    {
        switch (first.Src)
        {
            case BpfOp.PseudoMapFd:
                return MapOf(first.Imm).Address;
            case BpfOp.PseudoMapValue:
                var err = MapOf(first.Imm).DirectValueAddress((uint)second.Imm, out var address);
                return err == Errno.None ? address : 0;
            default:
                return SymbolAddress(first.Imm, second.Imm);
        }
    }

    /// <summary>
    /// Address of a kernel's variable or function: that of nothing else, and not null, as programs ask whether the
    /// kernel has it. The model keeps no variables, so a load through it faults.
    /// </summary>
    private static ulong SymbolAddress(int typeId, int btfIdx) =>
        SymbolBase + ((ulong)(uint)btfIdx << 32) + ((ulong)(uint)typeId * SymbolStep);

    public CallThunk? Helper(int id) => Failing(
        HelperRegistry.FindBody((HelperId)id), HelperTable.NameOf(id), FailableCalls.OfHelper((HelperId)id),
        id == (int)HelperId.MapLookupElem && kernel.Spec.Profile.KnowsArrayHits ? IsArray : null);

    /// <summary>Whether all kfuncs that the program calls have Kptr's own bodies.</summary>
    internal bool HasOnlyBuiltinBodies => prog.Insns.Where(i => i.IsKfuncCall).All(i => KfuncName(i) is { } name
        && ReferenceEquals(
            kernel.Host.Kfuncs.FindBody(name, kernel.Spec.Profile),
            KfuncRegistry.Builtin.FindBody(name, kernel.Spec.Profile)));

    public CallThunk? Kfunc(BpfInsn call) => KfuncName(call) is { } name
        ? Failing(
            kernel.Host.Kfuncs.FindBody(name, kernel.Spec.Profile), name,
            kernel.Spec.Kfuncs.TryGetValue(name, out var spec) ? FailableCalls.OfKfunc(spec) : null)
        : null;

    public string NameOf(BpfInsn call) => call.Src == BpfOp.PseudoKfuncCall
        ? $"kfunc {KfuncName(call) ?? "?"}" : $"helper {HelperTable.NameOf(call.Imm)}#{call.Imm}";

    public bool IsTailCall(BpfInsn call) => call.Calls(HelperId.TailCall);

    public bool IsThrow(BpfInsn call) => call.Src == BpfOp.PseudoKfuncCall && KfuncName(call) == "bpf_throw";

    public Interpreter? TailTarget(object target) =>
        target is BpfProgram { IsUnloaded: false } prog ? prog.Interpreter : null;

    private CallThunk? Failing(
        CallThunk? body, string name, ulong? failure, Func<ProgContext, ulong, bool>? isCertain = null) =>
        body is not null && kernel.Options.FaultPlan is { } plan
            ? FailingCall.Of(body, plan, name, failure, isCertain) : body;

    // Programs need not look whether a value of theirs is there: its index is known to be inside.
    private static bool IsArray(ProgContext ctx, ulong map) =>
        ctx.MapAt(map).Type is BpfMapType.Array or BpfMapType.PercpuArray;

    private BpfMap MapOf(int index) => maps[index]
        ?? throw new InvalidOperationException(
            $"program \"{prog.Name}\" uses map \"{prog.Maps[index].Name}\", which was not created");

    private string? KfuncName(BpfInsn call)
    {
        var types = kernel.Spec.Types;
        var at = new BtfRef(call.Off, call.Imm);
        return (uint)at.BtfIdx < (uint)types.All.Length && at.TypeId > 0
            && at.TypeId < types.All[at.BtfIdx].TypeCount ? types[at].Name : null;
    }
}
