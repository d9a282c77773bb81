using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace Kptr.Generators;

/// <summary>A location that keeps no syntax tree alive.</summary>
internal sealed record Place(string Path, TextSpan Span, LinePositionSpan Lines)
{
    internal static Place Of(ISymbol symbol)
    {
        var location = symbol.Locations[0];
        return new(location.SourceTree?.FilePath ?? "", location.SourceSpan, location.GetLineSpan().Span);
    }

    internal Location ToLocation() => Location.Create(Path, Span, Lines);
}
