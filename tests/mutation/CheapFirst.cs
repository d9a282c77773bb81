using System.Text.RegularExpressions;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Kptr.Tests.Mutation.CheapFirst))]

namespace Kptr.Tests.Mutation;

/// <summary>
/// Runs the classes last that <c>rooms.tsv</c> says: the first test that fails ends the run of a mutant, and most
/// mutants fail a cheap one.
/// </summary>
public sealed class CheapFirst : ITestCollectionOrderer
{
    private static readonly string Last =
        AppContext.GetData("Kptr.TestsThatRunLast") as string is { Length: > 0 } classes ? classes : "^$";

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(
        IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(c => Regex.IsMatch(c.TestCollectionDisplayName, Last))];
}
