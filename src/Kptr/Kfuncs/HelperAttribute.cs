using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// The body of a helper, or of several with one meaning; its prototype stands in the helper table of Specs.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class HelperAttribute(params HelperId[] ids) : Attribute
{
    internal HelperId[] Ids { get; } = ids;
}
