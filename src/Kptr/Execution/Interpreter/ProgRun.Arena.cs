using Kptr.Isa;
using Kptr.Maps;

namespace Kptr.Execution;

// Accesses of an arena that are not within one page that is there.
internal sealed unsafe partial class ProgRun
{
    /// <summary>
    /// Does what hardware and the kernel's exception table do: bytes in two pages are one access, and where one has no
    /// page a load gives zero, and a store or atomic does nothing.
    /// </summary>
    private void AccessArena(BpfInsn insn, ulong address)
    {
        var arena = _code.Arena!;
        var host = arena.Space->Find(address, (uint)insn.AccessBytes);
        if (host != 0 && (!insn.IsAtomic || host % (uint)insn.AccessBytes == 0))
        {
            Access(insn, host); // the page has come meanwhile
        }
        else if (insn.IsAtomic)
        {
            // Misaligned ones are atomic to each other; no host has better for all of them.
            using var held = arena.Map.EnterLive();
            AccessParts(insn, address, arena.Space);
        }
        else
        {
            AccessParts(insn, address, arena.Space);
        }
    }

    private void AccessParts(BpfInsn insn, ulong address, ArenaSpace* space)
    {
        var sizeBytes = insn.AccessBytes;
        var isLoad = insn.Class == InsnClass.Ldx || insn.IsLoadAcquire;
        var hosts = stackalloc ulong[sizeof(ulong)];
        for (var i = 0; i < sizeBytes; i++)
        {
            hosts[i] = space->Find(address + (ulong)i, 1);
            if (hosts[i] == 0)
            {
                if (isLoad)
                {
                    _m->Regs[insn.Dst] = 0;
                }

                return;
            }
        }

        ulong value = 0;
        for (var i = 0; i < sizeBytes; i++)
        {
            ((byte*)&value)[i] = *(byte*)hosts[i];
        }

        Access(insn, (ulong)&value);
        for (var i = 0; i < sizeBytes && !isLoad; i++)
        {
            *(byte*)hosts[i] = ((byte*)&value)[i];
        }
    }
}
