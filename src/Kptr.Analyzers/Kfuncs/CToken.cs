namespace Kptr.Analyzers.Kfuncs;

/// <summary>A word or a sign of a C prototype.</summary>
internal readonly struct CToken(string text, int at)
{
    internal string Text { get; } = text;

    /// <summary>Where it begins in the prototype.</summary>
    internal int At { get; } = at;

    internal bool IsName => Text.Length > 0 && (char.IsLetter(Text[0]) || Text[0] == '_');

    internal bool IsEnd => Text.Length == 0;

    internal string Shown => IsEnd ? "the end" : $"'{Text}'";

    /// <summary>Cuts a prototype; null where it has what prototypes have not (comments, strings, directives).</summary>
    internal static List<CToken>? Cut(string text)
    {
        var tokens = new List<CToken>();
        for (var at = 0; at < text.Length;)
        {
            var end = at + 1;
            if (char.IsWhiteSpace(text[at]))
            {
                at++;
                continue;
            }

            if (IsWordChar(text[at]))
            {
                while (end < text.Length && IsWordChar(text[end]))
                {
                    end++;
                }
            }
            else if (string.CompareOrdinal(text, at, "...", 0, 3) == 0)
            {
                end = at + 3;
            }
            else if ("\"'/#{}=".IndexOf(text[at]) >= 0)
            {
                return null;
            }

            tokens.Add(new(text.Substring(at, end - at), at));
            at = end;
        }

        tokens.Add(new("", text.Length));
        return tokens;
    }

    private static bool IsWordChar(char c) => c == '_' || (c < 128 && char.IsLetterOrDigit(c));
}
