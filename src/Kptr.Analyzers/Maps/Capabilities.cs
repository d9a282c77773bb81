using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Maps;

/// <summary>Reads what <c>MapCapabilities</c> claim, where it stands there.</summary>
internal static class Capabilities
{
    private static readonly (string Property, string Method, bool IsClaimedBySilence)[] s_claims =
    [
        ("CanIterate", "NextKey", true),
        ("CanVisit", "VisitValues", true),
        ("CanTake", "TakeValue", false),
    ];

    // Of the static properties of Kptr.Testing: the claims in which one differs from a new record.
    private static readonly (string Preset, string Property, bool IsClaimed)[] s_presets =
    [
        ("LocalStorage", "CanIterate", false),
        ("LocalStorage", "CanVisit", false),
        ("Trie", "CanVisit", false),
        ("Queue", "CanIterate", false),
        ("Queue", "CanVisit", false),
        ("Queue", "CanTake", true),
        ("Stack", "CanIterate", false),
        ("Stack", "CanVisit", false),
        ("Stack", "CanTake", true),
    ];

    internal static IEnumerable<(string What, string Method)> NeedsOf(IOperation claimed, KnownTypes known)
    {
        var set = new Dictionary<string, IOperation>();
        if (!TryCollect(claimed, known, set, out var preset))
        {
            yield break;
        }

        foreach (var (property, method, isClaimedBySilence) in s_claims)
        {
            if (set.TryGetValue(property, out var value)
                ? value.ConstantValue is { HasValue: true, Value: true }
                : IsClaimed(preset, property, isClaimedBySilence))
            {
                yield return ($"The capability {property}", method);
            }
        }

        if (set.TryGetValue("Batches", out var batches) && batches.ConstantValue is { HasValue: true, Value: int ops })
        {
            foreach (var need in Needs.Of((MapBatchOps)ops))
            {
                yield return need;
            }
        }
    }

    private static bool IsClaimed(string preset, string property, bool isClaimedBySilence)
    {
        foreach (var (name, of, isClaimed) in s_presets)
        {
            if (name == preset && of == property)
            {
                return isClaimed;
            }
        }

        return isClaimedBySilence;
    }

    /// <summary>Collects what is set, and over which preset; false where it is said elsewhere.</summary>
    private static bool TryCollect(
        IOperation claimed, KnownTypes known, Dictionary<string, IOperation> set, out string preset)
    {
        IObjectOrCollectionInitializerOperation? initializer;
        preset = "";
        switch (claimed)
        {
            case IPropertyReferenceOperation { Property: { IsStatic: true, ContainingType: var type, Name: var name } }:
                preset = name;
                return KnownTypes.Is(type, known.Capabilities);
            case IObjectCreationOperation creation:
                initializer = creation.Initializer;
                break;
            case IWithOperation with:
                if (!TryCollect(with.Operand, known, set, out preset))
                {
                    return false;
                }

                initializer = with.Initializer;
                break;
            default:
                return false;
        }

        foreach (var assignment in initializer?.Initializers.OfType<ISimpleAssignmentOperation>() ?? [])
        {
            if (assignment.Target is IPropertyReferenceOperation target)
            {
                set[target.Property.Name] = assignment.Value;
            }
        }

        return true;
    }
}
