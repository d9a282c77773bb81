using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>A way of putting two arithmetic instructions together.</summary>
internal interface IAluPairShape
{
    static abstract nint Of<TA, TSrcA, TB, TSrcB>()
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TB : struct, IAlu
        where TSrcB : struct, IOperand;
}

internal readonly unsafe struct ChainShape : IAluPairShape
{
    public static nint Of<TA, TSrcA, TB, TSrcB>()
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TB : struct, IAlu
        where TSrcB : struct, IOperand => OpTable.At(&Fused.Chain<TA, TSrcA, TB, TSrcB>);
}

internal readonly unsafe struct MovChainShape : IAluPairShape
{
    public static nint Of<TA, TSrcA, TB, TSrcB>()
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TB : struct, IAlu
        where TSrcB : struct, IOperand => OpTable.At(&Fused.MovChain<TA, TSrcA, TB, TSrcB>);
}

internal readonly unsafe struct PairShape : IAluPairShape
{
    public static nint Of<TA, TSrcA, TB, TSrcB>()
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TB : struct, IAlu
        where TSrcB : struct, IOperand => OpTable.At(&Fused.Pair<TA, TSrcA, TB, TSrcB>);
}

internal readonly struct AluAluFirst<TShape>(BpfInsn second) : IAluCase
    where TShape : struct, IAluPairShape
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand => KindSwitch.Alu(second, default(AluAluSecond<TShape, TAlu, TSrc>));
}

internal readonly struct AluAluSecond<TShape, TA, TSrcA> : IAluCase
    where TShape : struct, IAluPairShape
    where TA : struct, IAlu
    where TSrcA : struct, IOperand
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand => TShape.Of<TA, TSrcA, TAlu, TSrc>();
}

internal readonly struct AluJumpFirst(BpfInsn jump, bool isBack) : IAluCase
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand =>
        isBack ? KindSwitch.Jump(jump, default(AluJumpSecond<TAlu, TSrc, Backward>))
        : KindSwitch.Jump(jump, default(AluJumpSecond<TAlu, TSrc, Forward>));
}

internal readonly unsafe struct AluJumpSecond<TA, TSrcA, TDir> : IJumpCase
    where TA : struct, IAlu
    where TSrcA : struct, IOperand
    where TDir : struct, IDirection
{
    public nint Of<TJump, TSrc>()
        where TJump : struct, IJump
        where TSrc : struct, IOperand => OpTable.At(&Fused.AluJump<TA, TSrcA, TJump, TSrc, TDir>);
}

internal readonly unsafe struct AluGotoCase(bool isBack) : IAluCase
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand =>
        isBack ? OpTable.At(&Fused.AluGoto<TAlu, TSrc, Backward>) : OpTable.At(&Fused.AluGoto<TAlu, TSrc, Forward>);
}

internal readonly struct MovAluJumpFirst(BpfInsn jump, bool isBack) : IAluCase
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand =>
        isBack ? KindSwitch.Jump(jump, default(MovAluJumpSecond<TAlu, TSrc, Backward>))
        : KindSwitch.Jump(jump, default(MovAluJumpSecond<TAlu, TSrc, Forward>));
}

internal readonly unsafe struct MovAluJumpSecond<TB, TSrcB, TDir> : IJumpCase
    where TB : struct, IAlu
    where TSrcB : struct, IOperand
    where TDir : struct, IDirection
{
    public nint Of<TJump, TSrc>()
        where TJump : struct, IJump
        where TSrc : struct, IOperand => OpTable.At(&Fused.MovAluJump<TB, TSrcB, TJump, TSrc, TDir>);
}

internal readonly struct AluAluJumpFirst(BpfInsn second, BpfInsn jump, bool isBack) : IAluCase
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand => KindSwitch.Alu(second, new AluAluJumpSecond<TAlu, TSrc>(jump, isBack));
}

internal readonly struct AluAluJumpSecond<TA, TSrcA>(BpfInsn jump, bool isBack) : IAluCase
    where TA : struct, IAlu
    where TSrcA : struct, IOperand
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand =>
        isBack ? KindSwitch.Jump(jump, default(AluAluJumpThird<TA, TSrcA, TAlu, TSrc, Backward>))
        : KindSwitch.Jump(jump, default(AluAluJumpThird<TA, TSrcA, TAlu, TSrc, Forward>));
}

internal readonly unsafe struct AluAluJumpThird<TA, TSrcA, TB, TSrcB, TDir> : IJumpCase
    where TA : struct, IAlu
    where TSrcA : struct, IOperand
    where TB : struct, IAlu
    where TSrcB : struct, IOperand
    where TDir : struct, IDirection
{
    public nint Of<TJump, TSrc>()
        where TJump : struct, IJump
        where TSrc : struct, IOperand => OpTable.At(&Fused.AluAluJump<TA, TSrcA, TB, TSrcB, TJump, TSrc, TDir>);
}

internal readonly struct SkipFirst(BpfInsn over) : IJumpCase
{
    public nint Of<TJump, TSrc>()
        where TJump : struct, IJump
        where TSrc : struct, IOperand => KindSwitch.Alu(over, default(SkipSecond<TJump, TSrc>));
}

internal readonly unsafe struct SkipSecond<TJump, TSrcJ> : IAluCase
    where TJump : struct, IJump
    where TSrcJ : struct, IOperand
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand => OpTable.At(&Fused.Skip<TJump, TSrcJ, TAlu, TSrc>);
}

internal readonly struct LoadJumpFirst(BpfInsn load) : IJumpCase
{
    public nint Of<TJump, TSrc>()
        where TJump : struct, IJump
        where TSrc : struct, IOperand => KindSwitch.Mem(load, default(LoadJumpSecond<TJump, TSrc>));
}

internal readonly unsafe struct LoadJumpSecond<TJump, TSrc> : IMemCase
    where TJump : struct, IJump
    where TSrc : struct, IOperand
{
    public nint Of<TMem>()
        where TMem : struct, IMem => OpTable.At(&Fused.LoadJump<TMem, TJump, TSrc>);
}

internal readonly struct LoadAluFirst(BpfInsn load) : IAluCase
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand => KindSwitch.Mem(load, default(LoadAluSecond<TAlu, TSrc>));
}

internal readonly unsafe struct LoadAluSecond<TAlu, TSrc> : IMemCase
    where TAlu : struct, IAlu
    where TSrc : struct, IOperand
{
    public nint Of<TMem>()
        where TMem : struct, IMem => OpTable.At(&Fused.LoadAlu<TMem, TAlu, TSrc>);
}

internal readonly struct StoreAluFirst(BpfInsn store) : IAluCase
{
    public nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand => KindSwitch.Mem(store, default(StoreAluSecond<TAlu, TSrc>));
}

internal readonly unsafe struct StoreAluSecond<TAlu, TSrc> : IMemCase
    where TAlu : struct, IAlu
    where TSrc : struct, IOperand
{
    public nint Of<TMem>()
        where TMem : struct, IMem => OpTable.At(&Fused.StoreAlu<TMem, TAlu, TSrc>);
}

internal readonly unsafe struct IndexLoadCase : IMemCase
{
    public nint Of<TMem>()
        where TMem : struct, IMem => OpTable.At(&Fused.IndexLoad<TMem>);
}

internal readonly unsafe struct BaseIndexLoadCase : IMemCase
{
    public nint Of<TMem>()
        where TMem : struct, IMem => OpTable.At(&Fused.BaseIndexLoad<TMem>);
}

internal readonly unsafe struct BaseIndexStoreCase : IMemCase
{
    public nint Of<TMem>()
        where TMem : struct, IMem => OpTable.At(&Fused.BaseIndexStore<TMem>);
}
