using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Elf.CoRe;

/// <summary>Finds the kernel's counterpart of a program's access path in one candidate type.</summary>
internal static class CoReMatcher
{
    /// <summary>Outcome of matching one candidate: found, not found, or impossible to say.</summary>
    internal enum Outcome
    {
        No,
        Yes,
        Error,
    }

    /// <summary>
    /// Tries to follow <paramref name="local"/> through the candidate; <paramref name="found"/> is its path there.
    /// </summary>
    public static Outcome Match(CoReSpec local, BtfType candidate, out CoReSpec found)
    {
        found = new(candidate.Btf, candidate.Id, local.Kind);
        if (CoReSpec.IsType(local.Kind))
        {
            var root = local.Btf[local.RootTypeId];
            return ToOutcome(local.Kind == CoReKind.TypeMatches
                ? CoReTypes.Match(root, candidate)
                : CoReTypes.AreCompatible(root, candidate));
        }

        return CoReSpec.IsEnumValue(local.Kind)
            ? MatchEnumValue(local, candidate, found)
            : MatchField(local, candidate, found);
    }

    private static Outcome ToOutcome(bool? answer) => answer switch
    {
        true => Outcome.Yes,
        false => Outcome.No,
        null => Outcome.Error,
    };

    private static Outcome MatchEnumValue(CoReSpec local, BtfType candidate, CoReSpec found)
    {
        var type = candidate.SkipModifiers();
        if (type.Kind is not (BtfKind.Enum or BtfKind.Enum64))
        {
            return Outcome.No;
        }

        var wanted = BtfQueries.EssentialName(local.Last.Name);
        for (var i = 0; i < type.VLen; i++)
        {
            var name = type.EnumValue(i).Name;
            if (BtfQueries.EssentialName(name).SequenceEqual(wanted))
            {
                found.Steps.Add(new(type.Id, i, name));
                return Outcome.Yes;
            }
        }

        return Outcome.No;
    }

    private static Outcome MatchField(CoReSpec local, BtfType candidate, CoReSpec found)
    {
        var id = candidate.Id;
        for (var i = 0; i < local.Steps.Count; i++)
        {
            var step = local.Steps[i];
            var type = candidate.Btf.SkipModifiers(id);
            var outcome = step.Name is not null
                ? MatchMember(local.Btf, step, type, found, ref id)
                : MatchIndex(step, type, i == 0, found, ref id);
            if (outcome != Outcome.Yes)
            {
                return outcome;
            }
        }

        return Outcome.Yes;
    }

    /// <summary>The first step indexes an array of the root type itself; later ones need an array there.</summary>
    private static Outcome MatchIndex(CoReStep step, BtfType type, bool isFirst, CoReSpec found, ref int id)
    {
        id = type.Id;
        if (!isFirst)
        {
            if (type.Kind != BtfKind.Array
                || (step.Index >= type.Array.Count && !CoReSpec.IsFlexArray(found.Btf, found.Last, type.Array)))
            {
                return Outcome.No;
            }

            id = found.Btf.SkipModifiers(type.Array.ElemTypeId).Id;
        }

        var size = found.Btf.ResolveSize(id);
        if (++found.Levels > CoReSpec.LevelsMax || size < 0)
        {
            return Outcome.Error;
        }

        found.Steps.Add(new(id, step.Index, null));
        found.BitOffset += (uint)((long)step.Index * size * 8);
        return Outcome.Yes;
    }

    /// <summary>
    /// Looks for the member by name, into anonymous structs and unions as well; the first of that name decides.
    /// </summary>
    private static Outcome MatchMember(BtfSpec local, CoReStep step, BtfType type, CoReSpec found, ref int id)
    {
        if (!type.IsComposite)
        {
            return Outcome.No;
        }

        for (var i = 0; i < type.VLen; i++)
        {
            if (found.Levels == CoReSpec.LevelsMax)
            {
                return Outcome.Error;
            }

            var member = type.Member(i);
            var (levels, bits) = (found.Levels, found.BitOffset);
            found.Levels++;
            found.BitOffset += (uint)member.BitOffset;
            if (member.Name.Length == 0)
            {
                var inner = MatchMember(local, step, found.Btf.SkipModifiers(member.TypeId), found, ref id);
                if (inner != Outcome.No)
                {
                    return inner;
                }
            }
            else if (member.Name == step.Name)
            {
                var wanted = local[step.TypeId].Member(step.Index).TypeId;
                if (!CoReTypes.AreFieldsCompatible(local[wanted], found.Btf[member.TypeId]))
                {
                    return Outcome.No;
                }

                found.Steps.Add(new(type.Id, i, member.Name));
                id = member.TypeId;
                return Outcome.Yes;
            }

            (found.Levels, found.BitOffset) = (levels, bits);
        }

        return Outcome.No;
    }
}
