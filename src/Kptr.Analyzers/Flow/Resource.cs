using Microsoft.CodeAnalysis;

namespace Kptr.Analyzers.Flow;

/// <summary>What is followed.</summary>
internal enum ResourceKind
{
    /// <summary>A <c>KernelRef</c>.</summary>
    Reference,

    /// <summary>A kernel, an object or a link.</summary>
    Owner,

    /// <summary>An RCU reader.</summary>
    Reader,

    /// <summary>A program's stretch of C#, which belongs to its thread.</summary>
    Scope,

    /// <summary>What is good inside a reader only: a peeked object, a ref to a value, a value's bytes.</summary>
    Look,
}

/// <summary>One place that makes something, or one parameter that brings it.</summary>
internal sealed class Resource(int id, ResourceKind kind, SyntaxNode syntax, string what)
{
    internal int Id { get; } = id;

    internal ResourceKind Kind { get; } = kind;

    /// <summary>Where it comes from.</summary>
    internal SyntaxNode Syntax { get; } = syntax;

    /// <summary>What it is called where it has no name.</summary>
    internal string What { get; } = what;

    /// <summary>The first variable that held it.</summary>
    internal ISymbol? Name { get; set; }

    internal bool IsFromExchange { get; set; }

    /// <summary>Whether it is a loaded object, which has parts that may outlive a method.</summary>
    internal bool IsObject { get; set; }

    internal string Shown => Name is null ? What : $"'{Name.Name}'";

    internal int Line => Lines.Of(Syntax);
}

internal static class Lines
{
    internal static int Of(SyntaxNode syntax) => syntax.GetLocation().GetLineSpan().StartLinePosition.Line + 1;

    internal static int EndOf(SyntaxNode syntax) => syntax.GetLocation().GetLineSpan().EndLinePosition.Line + 1;
}
