using Kptr.Btf;

namespace Kptr.Tests.Objects;

/// <summary>Types that the tests' programs would allocate.</summary>
internal static class AllocatedTypes
{
    private static readonly BtfSpec Program = CDeclParser.Parse(
        """
        struct node { unsigned long long list[3]; unsigned long long rb[4]; unsigned int refs; unsigned long long key; };
        struct stash { void *task; void *counters; };
        struct counters { unsigned long long hits; };
        """,
        "prog");

    internal static BtfType Node => Find("node");

    internal static BtfType Stash => Find("stash");

    internal static BtfType Counters => Find("counters");

    private static BtfType Find(string name) => Program[Program.FindId(name, BtfKind.Struct)];
}
