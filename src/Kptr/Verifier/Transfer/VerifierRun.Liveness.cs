using System.Buffers.Binary;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.Cfg;
using Kptr.Verifier.Liveness;

namespace Kptr.Verifier;

/// <content>What is found before any path is explored: constants, the order of functions, what is dead.</content>
internal sealed partial class VerifierRun : IMapFacts
{
    private DeadPlaces? _dead;

    /// <summary>Cuts branches that constants rule out, and finds what nothing reads.</summary>
    private void LookAtCode()
    {
        if (!Kernel.Profile.HasStaticLiveness)
        {
            if (Kernel.Profile.SortsFunctions)
            {
                SortFunctions(new PostOrder(Insns, Subprogs));
            }

            FindLoops();
            return;
        }

        var order = new PostOrder(Insns, Subprogs);
        var known = new ConstantRegs(Insns, Subprogs, order, maps: this, Prog.MaybeAddresses);
        if (DeadBranches.Cut(Insns, known))
        {
            order = new(Insns, Subprogs);
        }

        var sorted = SortFunctions(order);
        FindLoops();
        var uses = new StackUses(_callees, Insns, _usedMaps);
        _dead = new(_liveRegs!, new(Insns, _marks, Subprogs, order, sorted, known, uses), Subprogs, AlwaysPrecise);
        _precision.HasCleanStates = true;
    }

    private IReadOnlyList<int> SortFunctions(PostOrder code)
    {
        var order = new CallOrder(Insns, Subprogs, code);
        var sorted = order.Sort();
        for (var i = 0; Log.IsFull && i < sorted.Count; i++)
        {
            Log.Line($"topo_order[{i}] = {order.NameOf(sorted[i])}");
        }

        return sorted;
    }

    (int Map, int Off) IMapFacts.MapAt(int insnIdx) =>
        (_usedMaps.FindIndex(m => ReferenceEquals(m, Aux[insnIdx].Map)), Aux[insnIdx].MapOff);

    bool IMapFacts.TryLoad(int map, int off, in BpfInsn load, out ulong value)
    {
        value = 0;
        return off >= 0 && off + load.AccessBytes <= _usedMaps[map].ValueSize
            && TryLoadConstant(_usedMaps[map], off, load.AccessBytes, IsLdsx(load), out value);
    }

    private static bool IsLdsx(in BpfInsn load) => (load.Opcode & BpfOp.ModeMask) == BpfOp.Memsx;

    /// <summary>Loads from a map's value, where neither programs nor user space can change it any more.</summary>
    private bool TryLoadConstant(MapSpec map, int off, int size, bool isLdsx, out ulong value)
    {
        value = 0;
        if (!map.Frozen || (map.FlagsInKernel & MapFlags.RdOnlyProg) == 0 || !HasDirectValue(map)
            || Options.ProvesAccesses)
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        if (!map.InitialValue.IsDefault && off < map.InitialValue.Length)
        {
            map.InitialValue.AsSpan(off, Math.Min(size, map.InitialValue.Length - off)).CopyTo(bytes);
        }

        var raw = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        value = (size, isLdsx) switch
        {
            (1, true) => (ulong)(sbyte)raw,
            (2, true) => (ulong)(short)raw,
            (4, true) => (ulong)(int)raw,
            _ => raw,
        };
        return true;
    }
}
