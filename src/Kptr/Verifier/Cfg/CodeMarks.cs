namespace Kptr.Verifier.Cfg;

/// <summary>What the control flow says of one instruction.</summary>
[Flags]
internal enum CodeMarks : byte
{
    None = 0,

    /// <summary>States are compared here (<c>prune_point</c>).</summary>
    PrunePoint = 1,

    /// <summary>Paths may come here from elsewhere, so the history notes it (<c>jmp_point</c>).</summary>
    JmpPoint = 2,

    /// <summary>The state is remembered here whenever it is reached (<c>force_checkpoint</c>).</summary>
    ForceCheckpoint = 4,

    /// <summary>A call that runs a callback before it returns (<c>calls_callback</c>).</summary>
    CallsCallback = 8,

    /// <summary>Some jump or call leads here (<c>jump_point</c> of a branch).</summary>
    JumpTarget = 16,
}
