using System.Collections.Immutable;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Maps;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr;

/// <summary>Which accesses that are proven to be in bounds are in memory that lives as long as a run.</summary>
/// <remarks>
/// A frame of the program's own does. The context does; a run whose context is shorter than what is read of it keeps
/// its checks. A value does if its map is one that the program holds from its loading to the end of its last run
/// (<c>HoldMaps</c>, the reader around each run), and is an array or hash of Kptr's (a user's own type cannot derive
/// from these): their elements stay memory of the map whoever deletes, updates or takes them again meanwhile, under
/// either destroy policy (<see cref="ValuePool"/>). Values of maps found in maps, of local storage, and of map types
/// of a user's own have checks: somebody else ends them. Where a program calls a kfunc with a body of a user's,
/// everything is checked: it may write anywhere into the program's stack, over an address or an index kept there.
/// </remarks>
internal static class ProvenLife
{
    internal static NeedlessChecks? Find(VerifiedProgram verified, ProgSpec linked, ImmutableArray<BpfMap?> maps)
    {
        var proof = verified.Proof;
        if (proof.Accesses.Length != linked.Insns.Length)
        {
            return null;
        }

        var live = new bool[linked.Insns.Length];
        long contextBytes = 0;
        for (var i = 0; i < live.Length; i++)
        {
            var access = proof.Accesses[i];
            var end = access.End + linked.Insns[i].Off - verified.Spec.Insns[i].Off + Widened(verified.Spec, linked, i);
            live[i] = access.Place switch
            {
                AccessPlace.OwnFrame => true,
                AccessPlace.MapValue => IsHeld(access.Map!, verified.Spec, maps),
                AccessPlace.Context => linked.Insns[i].Class == InsnClass.Ldx,
                _ => false,
            };
            if (live[i] && access.Place == AccessPlace.Context)
            {
                contextBytes = Math.Max(contextBytes, end);
            }
        }

        return new([.. live], proof.RoundEnds, (ulong)contextBytes);
    }

    // Where a load was led elsewhere it may read more bytes.
    private static int Widened(ProgSpec seen, ProgSpec linked, int slot) =>
        linked.Insns[slot].AccessBytes - seen.Insns[slot].AccessBytes;

    private static bool IsHeld(MapSpec spec, ProgSpec prog, ImmutableArray<BpfMap?> maps)
    {
        var index = -1;
        for (var i = 0; i < prog.Maps.Length; i++)
        {
            index = ReferenceEquals(prog.Maps[i], spec) ? i : index;
            for (var inner = prog.Maps[i].InnerMap; inner is not null; inner = inner.InnerMap)
            {
                if (ReferenceEquals(inner, spec))
                {
                    return false;
                }
            }
        }

        return index >= 0
            && maps[index] is ArrayMap or HashMap or PercpuHashMap or LruHashMap
            && maps[index]!.ValueSize >= spec.ValueSize;
    }
}
