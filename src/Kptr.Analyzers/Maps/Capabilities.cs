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

    internal static IEnumerable<(string What, string Method)> NeedsOf(IOperation claimed, KnownTypes known)
    {
        var set = new Dictionary<string, IOperation>();
        if (!TryCollect(claimed, known, set))
        {
            yield break;
        }

        foreach (var (property, method, isClaimedBySilence) in s_claims)
        {
            if (set.TryGetValue(property, out var value)
                ? value.ConstantValue is { HasValue: true, Value: true } : isClaimedBySilence)
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

    /// <summary>Collects what is set; false where it is said elsewhere.</summary>
    private static bool TryCollect(IOperation claimed, KnownTypes known, Dictionary<string, IOperation> set)
    {
        IObjectOrCollectionInitializerOperation? initializer;
        switch (claimed)
        {
            // The three that Kptr.Testing has differ in nothing that overrides stand behind.
            case IPropertyReferenceOperation { Property: { IsStatic: true, ContainingType: var type } }:
                return KnownTypes.Is(type, known.Capabilities);
            case IObjectCreationOperation creation:
                initializer = creation.Initializer;
                break;
            case IWithOperation with:
                if (!TryCollect(with.Operand, known, set))
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
