using System.Collections.Immutable;
using System.Globalization;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Verifier;

namespace Kptr.Soundness;

/// <summary>Holds the addresses of a run against what was proven of its loads and stores.</summary>
/// <param name="kernel">Where the run is.</param>
/// <param name="program">What was proven of it.</param>
/// <param name="maps">Its maps.</param>
internal sealed class ProofCheck(KernelModel kernel, BpfProgram program, ImmutableArray<BpfMap?> maps)
{
    private readonly ImmutableArray<ProvenAccess> _accesses = program.Verified.Proof.Accesses;
    private readonly ImmutableArray<BpfInsn> _insns = program.Interpreter.Prog.Insns;
    private readonly NeedlessChecks? _needless = ProvenLife.Find(program.Verified, program.Interpreter.Prog, maps);
    private const int StackBytes = 512;

    // Where nothing jumps to the first instruction, each time it is met is a run: an iterator's has a context each.
    private readonly bool _beginsOften =
        !Enumerable.Range(0, program.Interpreter.Prog.Insns.Length).Any(i => program.Interpreter.Code.TargetOf(i) == 0);

    private ulong _context;

    /// <summary>What is wrong at this place, or null.</summary>
    internal string? Check(in RunPoint at)
    {
        if (at is { InsnIdx: 0, Depth: 0, IsDeferred: false } && (_beginsOften || _context == 0))
        {
            _context = at.Regs[1];
        }

        if (_needless?.IsLive(at.InsnIdx) != true)
        {
            return null;
        }

        var (insn, access) = (_insns[at.InsnIdx], _accesses[at.InsnIdx]);
        var isLoad = insn.Class == InsnClass.Ldx || insn.IsLoadAcquire;
        var address = at.Regs[isLoad ? insn.Src : insn.Dst] + (ulong)insn.Off;
        return Holds(access, address, insn.AccessBytes, at) ? null
            : string.Create(CultureInfo.InvariantCulture,
                $"{insn.AccessBytes} bytes at 0x{address:x} (fp 0x{at.Regs[10]:x}), proven {access}");
    }

    private bool Holds(in ProvenAccess access, ulong address, int sizeBytes, in RunPoint at) => access.Place switch
    {
        AccessPlace.OwnFrame => IsWithin(address, sizeBytes, at.Regs[10], access),
        // What a load is led to lies behind what the verifier sees.
        AccessPlace.Context => at.IsDeferred || address - _context + (ulong)sizeBytes <= _needless!.ContextBytes,
        _ => kernel.Heap.TryFindRegion(address, sizeBytes, out var region) && region.State == HeapState.Live
            && region.Slab.Owner is BpfMap map && map.Name == access.Map!.Name
            && map.PartAt(region.Address, region.SizeBytes, address) is var part
            && IsWithin(address, sizeBytes, part.Address, access) && (ulong)access.End <= (ulong)part.SizeBytes,
    };

    private static bool IsWithin(ulong address, int sizeBytes, ulong start, in ProvenAccess access) =>
        (long)(address - start) >= access.Low && (long)(address - start) + sizeBytes <= access.End
        && access.Low >= -StackBytes;
}
