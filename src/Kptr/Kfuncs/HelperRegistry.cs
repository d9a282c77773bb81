using Kptr.Kfuncs.Generated;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>From a helper's number to its body.</summary>
internal static class HelperRegistry
{
    /// <summary>Helpers that have a body.</summary>
    internal static IEnumerable<HelperId> Ids => HelperBodies.Ids;

    /// <summary>The thunk that runs a helper; null where the model has no body for it.</summary>
    internal static CallThunk? FindBody(HelperId id) => HelperBodies.Of(id);
}
