namespace Kptr.Btf.CDecl;

/// <summary>What attributes and attribute-like macros say about a declaration.</summary>
internal sealed class CAttrs
{
    internal List<string> TypeTags { get; } = [];

    internal List<string> DeclTags { get; } = [];

    internal bool IsPacked { get; set; }

    /// <summary>From <c>aligned(n)</c>; 0 where not given.</summary>
    internal int Aligned { get; set; }

    internal string? Section { get; set; }
}

/// <summary>One parameter as written.</summary>
internal readonly record struct CParam(string Name, int TypeId, List<string> DeclTags);

/// <summary>A step from a declared name to its type: pointer, array or function.</summary>
internal abstract record CTypeOp
{
    internal sealed record Ptr(CQuals Quals, List<string> Tags) : CTypeOp;

    internal sealed record Array(int Count, CToken At) : CTypeOp;

    internal sealed record Func(List<CParam> Params, bool IsVariadic) : CTypeOp;
}

[Flags]
internal enum CQuals
{
    None = 0,
    Const = 1,
    Volatile = 2,
    Restrict = 4,
}

/// <summary>A type as far as its specifiers say, before pointers and arrays.</summary>
internal readonly record struct CSpecs(int TypeId, CAttrs Attrs, string Storage, bool DefinesType, CToken At);

/// <summary>A declared name (empty in abstract declarators) and the steps to its type, outermost type first.</summary>
internal sealed record CDeclarator(CToken Name, List<CTypeOp> Ops);
