namespace Kptr.Specs;

/// <content>How the verifier's messages say it: what a kernel calls arguments, places and ends.</content>
public sealed partial record KernelProfile
{
    /// <summary>
    /// Whether messages name an argument by its register, <c>R1</c>: in 7.2. In 6.12 <c>arg#0</c>, <c>args#0</c>,
    /// <c>arg0</c> or <c>arg #0</c>.
    /// </summary>
    internal bool NamesArgsByRegister { get; init; }

    /// <summary>
    /// Whether a pointer's known offset is one number with its variable one, where messages show either and where a
    /// packet's range counts from: in 7.2. In 6.12 they are two.
    /// </summary>
    internal bool FoldsOffsets { get; init; }

    /// <summary>
    /// Whether messages tell what a callee does with the stack from what the program does, by <c>indirect</c>: in 6.12,
    /// not in 7.2.
    /// </summary>
    internal bool SaysIndirect { get; init; } = true;

    /// <summary>
    /// Whether every end of a program looks for references first, then for open sections, and is named in the message:
    /// in 7.2. In 6.12 open sections come first, and a message names the call that is missing.
    /// </summary>
    internal bool NamesEnds { get; init; }

    /// <summary>
    /// Whether a release names the function and the argument that is not referenced, as the argument is looked at: in
    /// 7.2.
    /// </summary>
    internal bool NamesReleases { get; init; }

    /// <summary>
    /// Whether the log's figures name the deepest stack of all chains of calls, and the instructions of each global
    /// function: in 7.2.
    /// </summary>
    internal bool LogsCallDepth { get; init; }

    /// <summary>Bytes of stack that counting the rounds of <c>may_goto</c> takes: 8 in 6.12, 16 in 7.2.</summary>
    internal int MayGotoStackBytes { get; init; } = 8;

    /// <summary>Whether the log marks what was read and written, <c>R1_w</c>: in 6.12, not in 7.2.</summary>
    internal bool LogsLiveness { get; init; } = true;

    /// <summary>
    /// Whether the log gives what holds a reference an id and the reference another, <c>ref_obj_id=2</c>: in 6.12. In
    /// 7.2 the reference's id is the holder's.
    /// </summary>
    internal bool HasRefIds { get; init; } = true;
}
