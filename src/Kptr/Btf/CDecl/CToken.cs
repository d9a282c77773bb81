namespace Kptr.Btf.CDecl;

internal enum CTokenKind
{
    End,
    Name,
    Number,
    String,
    Punct,
}

/// <summary>One token of C and where it starts.</summary>
internal readonly record struct CToken(CTokenKind Kind, string Text, int Line, int Column)
{
    internal long Value { get; init; }

    internal bool Is(string punctOrName) =>
        Kind is CTokenKind.Punct or CTokenKind.Name && string.Equals(Text, punctOrName, StringComparison.Ordinal);

    internal string Shown => Kind == CTokenKind.End ? "the end" : $"'{Text}'";
}
