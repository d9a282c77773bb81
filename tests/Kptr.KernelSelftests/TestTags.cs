using System.Globalization;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>What selftests ask for in declaration tags of their functions.</summary>
/// <remarks>
/// <c>comment:test_log_level=2</c> up to 6.12; since 7.0 the tags of a file are counted, <c>comment:17:test_...</c>, as
/// the order of their types is no longer that of the text.
/// </remarks>
internal static class TestTags
{
    private const string Prefix = "comment:";

    /// <summary>Functions and the text of their tags, <c>test_log_level=2</c>, in the order of the text.</summary>
    public static IEnumerable<(string Function, string Text)> Of(ObjectSpec spec)
    {
        var tags = new List<(int Number, string Function, string Text)>();
        for (var id = 1; spec.Btf is { } btf && id < btf.TypeCount; id++)
        {
            if (btf[id] is { Kind: BtfKind.DeclTag, ComponentIdx: -1 } tag
                && tag.Name.StartsWith(Prefix, StringComparison.Ordinal))
            {
                var text = tag.Name[Prefix.Length..];
                var digits = text.TakeWhile(char.IsAsciiDigit).Count();
                tags.Add(digits > 0 && digits < text.Length && text[digits] == ':'
                    ? (int.Parse(text.AsSpan(0, digits), CultureInfo.InvariantCulture), tag.Ref.Name,
                        text[(digits + 1)..])
                    : (0, tag.Ref.Name, text));
            }
        }

        return tags.OrderBy(t => t.Number).Select(t => (t.Function, t.Text));
    }

    /// <summary>Functions with a tag of this name, and what follows it.</summary>
    public static IEnumerable<(string Function, string Value)> Of(ObjectSpec spec, string name) =>
        Of(spec).Where(t => t.Text.StartsWith(name, StringComparison.Ordinal))
            .Select(t => (t.Function, t.Text[name.Length..]));
}
