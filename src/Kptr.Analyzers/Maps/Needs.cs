namespace Kptr.Analyzers.Maps;

/// <summary>The bits of Kptr's own <c>MapBatchOps</c>.</summary>
[Flags]
internal enum MapBatchOps
{
    Lookup = 1,
    LookupAndDelete = 8,
}

/// <summary>Which override stands behind what a map type advertises.</summary>
internal static class Needs
{
    internal static IEnumerable<(string What, string Method)> Of(MapBatchOps ops)
    {
        if ((ops & MapBatchOps.Lookup) != 0)
        {
            yield return ("The batch operation Lookup", "NextKey");
        }

        if ((ops & MapBatchOps.LookupAndDelete) != 0)
        {
            yield return ("The batch operation LookupAndDelete", "NextKey");
            yield return ("The batch operation LookupAndDelete", "TakeValue");
        }
    }

    internal static IEnumerable<(string What, string Method)> Of(IEnumerable<string> helpers) =>
        helpers.Select(h => ($"The helper {h}", h switch
        {
            "ForEachMapElem" => "VisitValues",
            "MapPushElem" => "PushValue",
            "MapPopElem" => "PopValue",
            "MapPeekElem" => "PeekValue",
            _ => "",
        })).Where(n => n.Item2.Length > 0);
}
