using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>
/// The handler's address for one instruction. Handlers are compiled when they are first run, so
/// naming all costs nothing.
/// </summary>
internal static unsafe class OpTable
{
    /// <summary>An arithmetic instruction.</summary>
    internal static nint Alu(BpfInsn insn) => KindSwitch.Alu(insn, default(AluCase));

    /// <summary>A conditional jump.</summary>
    internal static nint Jump(BpfInsn insn, bool isBack) => KindSwitch.Jump(insn, new JumpCase(isBack));

    /// <summary>A load.</summary>
    internal static nint Load(BpfInsn insn) => insn.IsLoadAcquire
        ? KindSwitch.Mem(insn, default(LoadAcquireCase)) : KindSwitch.Mem(insn, default(LoadCase));

    /// <summary>A store or an atomic.</summary>
    internal static nint Store(BpfInsn insn) =>
        insn.IsAtomic ? KindSwitch.Mem(insn, default(AtomicCase))
        : insn.IsStoreRelease ? KindSwitch.Mem(insn, default(StoreReleaseCase))
        : insn.Class == InsnClass.Stx ? KindSwitch.Mem(insn, default(StoreCase<FromReg>))
        : KindSwitch.Mem(insn, default(StoreCase<FromImm>));

    /// <summary>A load, a store or an atomic in the program's arena.</summary>
    internal static nint Arena(BpfInsn insn) =>
        insn.Class == InsnClass.Ldx ? KindSwitch.Mem(insn, default(ArenaLoadCase))
        : insn.IsLoadAcquire ? KindSwitch.Mem(insn, default(ArenaLoadAcquireCase))
        : insn.IsStoreRelease ? KindSwitch.Mem(insn, default(ArenaStoreReleaseCase))
        : insn.IsAtomic ? KindSwitch.Mem(insn, default(ArenaAtomicCase))
        : insn.Class == InsnClass.Stx ? KindSwitch.Mem(insn, default(ArenaStoreCase<FromReg>))
        : KindSwitch.Mem(insn, default(ArenaStoreCase<FromImm>));

    internal static nint At(delegate*<Op*, Machine*, Op*> handler) => (nint)handler;

    private readonly struct AluCase : IAluCase
    {
        public nint Of<TAlu, TSrc>()
            where TAlu : struct, IAlu
            where TSrc : struct, IOperand => At(&Handlers.Alu<TAlu, TSrc>);
    }

    private readonly struct JumpCase(bool isBack) : IJumpCase
    {
        public nint Of<TJump, TSrc>()
            where TJump : struct, IJump
            where TSrc : struct, IOperand =>
            isBack ? At(&Handlers.Jump<TJump, TSrc, Backward>) : At(&Handlers.Jump<TJump, TSrc, Forward>);
    }

    private readonly struct LoadCase : IMemCase
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.Load<TMem>);
    }

    private readonly struct StoreCase<TSrc> : IMemCase
        where TSrc : struct, IOperand
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.Store<TMem, TSrc>);
    }

    private readonly struct ArenaLoadCase : IMemCase
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.ArenaLoad<TMem>);
    }

    private readonly struct ArenaStoreCase<TSrc> : IMemCase
        where TSrc : struct, IOperand
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.ArenaStore<TMem, TSrc>);
    }

    private readonly struct ArenaAtomicCase : IMemCase
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.ArenaAtomic<TMem>);
    }

    private readonly struct ArenaLoadAcquireCase : IMemCase
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.ArenaLoadAcquire<TMem>);
    }

    private readonly struct ArenaStoreReleaseCase : IMemCase
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.ArenaStoreRelease<TMem>);
    }

    private readonly struct LoadAcquireCase : IMemCase
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.LoadAcquire<TMem>);
    }

    private readonly struct StoreReleaseCase : IMemCase
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.StoreRelease<TMem>);
    }

    private readonly struct AtomicCase : IMemCase
    {
        public nint Of<TMem>()
            where TMem : struct, IMem => At(&Handlers.Atomic<TMem>);
    }
}
