using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Elf.CoRe;

/// <summary>Applies CO-RE relocations of one object against one kernel.</summary>
/// <remarks>
/// Candidates of a type that did not match one relocation are not tried for the next ones of the same type, as in
/// libbpf. Kernel: <c>bpf_core_calc_relo_insn</c> (tools/lib/bpf/relo_core.c, 6.12).
/// </remarks>
internal sealed class CoReRelocator(BtfSpec local, KernelTypes kernel)
{
    private readonly Dictionary<int, List<BtfType>> _candidates = [];

    /// <summary>Patches the instruction of one relocation.</summary>
    /// <returns>The fault, or null.</returns>
    public Diagnostic? Apply(Span<BpfInsn> insns, CoReReloc reloc)
    {
        if ((uint)reloc.InsnIdx >= (uint)insns.Length || CoReSpec.Parse(local, reloc) is not { } spec)
        {
            return Fault(DiagCode.CoReMalformed, reloc, "malformed");
        }

        if (reloc.Kind == CoReKind.TypeIdLocal)
        {
            // The compiler's number may be out of date after linking, so it is not checked.
            var id = (ulong)reloc.TypeId;
            return Patch(insns, reloc, new(id, id));
        }

        if (local[reloc.TypeId].Name.Length == 0)
        {
            return Fault(DiagCode.CoReMalformed, reloc, "relocation doesn't support anonymous types");
        }

        if (Resolve(spec, reloc, out var fault) is not { } result)
        {
            return fault;
        }

        return Patch(insns, reloc, result);
    }

    private Diagnostic? Patch(Span<BpfInsn> insns, CoReReloc reloc, CoReResult result) =>
        CoRePatcher.Patch(insns, reloc.InsnIdx, result) is { } wrong
            ? Fault(DiagCode.CoReMalformed, reloc, wrong)
            : null;

    private CoReResult? Resolve(CoReSpec spec, CoReReloc reloc, out Diagnostic? fault)
    {
        fault = null;
        if (!_candidates.TryGetValue(reloc.TypeId, out var candidates))
        {
            _candidates[reloc.TypeId] = candidates = CoReCandidates.Find(kernel, local[reloc.TypeId]);
        }

        var matching = new List<BtfType>();
        CoReResult? first = null;
        var firstBits = 0u;
        foreach (var candidate in candidates)
        {
            var outcome = CoReMatcher.Match(spec, candidate, out var target);
            if (outcome == CoReMatcher.Outcome.No)
            {
                continue;
            }

            if (outcome == CoReMatcher.Outcome.Error || CoReCalculator.Compute(spec, target) is not { } result)
            {
                fault = Fault(DiagCode.CoReMalformed,
                    reloc, $"cannot be computed for {candidate.Kind} {candidate.Name} [{candidate.Id}]");
                return null;
            }

            if (first is { } earlier
                && (firstBits != target.BitOffset || earlier.Poison != result.Poison
                    || earlier.NewValue != result.NewValue))
            {
                fault = Fault(DiagCode.CoReAmbiguous,
                    reloc, $"relocation decision ambiguity: {earlier.NewValue} != {result.NewValue}");
                return null;
            }

            if (first is null)
            {
                (first, firstBits) = (result, target.BitOffset);
            }

            matching.Add(candidate);
        }

        if (first is not null)
        {
            _candidates[reloc.TypeId] = matching;
            return first;
        }

        if (CoReCalculator.Compute(spec, null) is { } none)
        {
            return none;
        }

        fault = Fault(DiagCode.CoReMalformed, reloc, "cannot be computed");
        return null;
    }

    private Diagnostic Fault(DiagCode code, CoReReloc reloc, string message)
    {
        var name = (uint)reloc.TypeId < (uint)local.TypeCount
            ? $"{local[reloc.TypeId].Kind} {local[reloc.TypeId].Name} "
            : "";
        return new(code, $"CO-RE {reloc.Kind} of {name}[{reloc.TypeId}] {reloc.Access}: {message}")
        {
            InsnIdx = reloc.InsnIdx,
            Section = ".BTF.ext",
        };
    }
}
