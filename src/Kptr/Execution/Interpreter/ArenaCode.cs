using System.Collections.Immutable;
using Kptr.Isa;
using Kptr.Maps;

namespace Kptr.Execution;

/// <summary>What of a program goes to its arena.</summary>
/// <remarks>Keeps the arena's pages in the host's memory as long as somebody has this.</remarks>
internal sealed unsafe class ArenaCode(ArenaMap map, ImmutableArray<bool> accesses)
{
    private const short AddrSpaceCast = 1;
    private const int ToUser = 1 << 16;
    private readonly ArenaPages _pages = map.Pages;

    internal ArenaMap Map => map;

    /// <summary>The arena's address space.</summary>
    internal ArenaSpace* Space => _pages.Space;

    /// <summary>The high half of user space's addresses.</summary>
    internal ulong UserHigh => map.UserVmStart & ~(ulong)uint.MaxValue;

    /// <summary>Whether a slot loads or stores through a pointer into the arena.</summary>
    internal bool IsAccess(int slot) => (uint)slot < (uint)accesses.Length && accesses[slot];

    /// <summary>Whether an instruction turns a program's pointer into user space's (<c>addr_space_cast</c> from 0
    /// to 1).</summary>
    internal static bool IsUserCast(BpfInsn insn) => insn is { Off: AddrSpaceCast, Imm: ToUser }
        && insn.Opcode == ((byte)InsnClass.Alu64 | BpfOp.Mov | BpfOp.X);
}
