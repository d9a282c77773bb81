using System.Globalization;
using System.Text;
using Kptr.Diagnostics;

namespace Kptr.Btf.CDecl;

/// <summary>Cuts C text into tokens; drops comments and <c>#pragma</c> lines.</summary>
internal sealed class CLexer(string text)
{
    private const string Puncts = "{}()[];,:=*+-/%~|&^#";
    private static readonly string[] s_single = [.. Puncts.Select(c => c.ToString())];
    private static readonly string[] s_long = ["...", "<<", ">>"];

    private readonly List<CToken> _tokens = [];
    private int _at;
    private int _line = 1;
    private int _lineStart;

    internal static List<CToken> Lex(string text) => new CLexer(text).Run();

    private List<CToken> Run()
    {
        while (SkipSpace())
        {
            var c = text[_at];
            if (char.IsAsciiLetter(c) || c == '_')
            {
                Take(CTokenKind.Name, Span(static ch => char.IsAsciiLetterOrDigit(ch) || ch == '_'));
            }
            else if (char.IsAsciiDigit(c))
            {
                TakeNumber(Span(char.IsAsciiLetterOrDigit));
            }
            else if (c == '"')
            {
                TakeString();
            }
            else if (c == '\'')
            {
                TakeChar();
            }
            else
            {
                TakePunct();
            }
        }

        _tokens.Add(Here(CTokenKind.End, ""));
        return _tokens;
    }

    /// <summary>Moves to the next token; false at the end.</summary>
    private bool SkipSpace()
    {
        while (_at < text.Length)
        {
            if (text[_at] == '\n')
            {
                _at++;
                _line++;
                _lineStart = _at;
            }
            else if (char.IsWhiteSpace(text[_at]))
            {
                _at++;
            }
            else if (StartsWith("//"))
            {
                SkipLine();
            }
            else if (StartsWith("/*"))
            {
                SkipComment();
            }
            else if (StartsWith("#pragma"))
            {
                SkipLine();
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    private void SkipLine()
    {
        while (_at < text.Length && text[_at] != '\n')
        {
            _at++;
        }
    }

    private void SkipComment()
    {
        var start = Here(CTokenKind.Punct, "/*");
        for (_at += 2; !StartsWith("*/"); _at++)
        {
            if (_at >= text.Length)
            {
                throw new CSyntaxException(DiagCode.CDeclSyntax, start, "this comment has no end");
            }

            if (text[_at] == '\n')
            {
                _line++;
                _lineStart = _at + 1;
            }
        }

        _at += 2;
    }

    private string Span(Func<char, bool> more)
    {
        var end = _at;
        while (end < text.Length && more(text[end]))
        {
            end++;
        }

        return text[_at..end];
    }

    private void TakeNumber(string word)
    {
        var digits = word.TrimEnd('u', 'U', 'l', 'L');
        var isHex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        var ok = isHex
            ? ulong.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture, out var value)
            : digits.Length > 1 && digits[0] == '0'
                ? TryOctal(digits, out value)
                : ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        if (!ok)
        {
            throw new CSyntaxException(DiagCode.CDeclSyntax, Here(CTokenKind.Number, word), $"'{word}' is no integer");
        }

        _tokens.Add(Here(CTokenKind.Number, word) with { Value = (long)value });
        _at += word.Length;
    }

    private static bool TryOctal(string digits, out ulong value)
    {
        value = 0;
        foreach (var c in digits)
        {
            if (c is < '0' or > '7' || value >> 61 != 0)
            {
                return false;
            }

            value = (value << 3) | (uint)(c - '0');
        }

        return true;
    }

    private void TakeString()
    {
        var start = Here(CTokenKind.String, "\"");
        var content = new StringBuilder();
        for (_at++; _at < text.Length && text[_at] is not ('"' or '\n' or '\0'); _at++)
        {
            content.Append(text[_at]);
        }

        if (_at >= text.Length || text[_at] != '"')
        {
            throw new CSyntaxException(DiagCode.CDeclSyntax, start, "this string has no end");
        }

        _at++;
        _tokens.Add(start with { Text = content.ToString() });
    }

    private void TakeChar()
    {
        var start = Here(CTokenKind.Number, "'");
        if (_at + 2 >= text.Length || text[_at + 1] is '\\' or '\n' || text[_at + 2] != '\'')
        {
            throw new CSyntaxException(DiagCode.CDeclSyntax, start, "only plain characters are understood here");
        }

        _tokens.Add(start with { Text = text.Substring(_at, 3), Value = text[_at + 1] });
        _at += 3;
    }

    private void TakePunct()
    {
        var single = Puncts.IndexOf(text[_at], StringComparison.Ordinal);
        var punct = single >= 0 ? s_single[single] : Array.Find(s_long, StartsWith);
        if (punct is null)
        {
            var c = Here(CTokenKind.Punct, text[_at].ToString());
            throw new CSyntaxException(DiagCode.CDeclSyntax, c, $"'{text[_at]}' does not belong into a declaration");
        }

        Take(CTokenKind.Punct, punct);
    }

    private void Take(CTokenKind kind, string word)
    {
        _tokens.Add(Here(kind, word));
        _at += word.Length;
    }

    private bool StartsWith(string s) => string.CompareOrdinal(text, _at, s, 0, s.Length) == 0;

    private CToken Here(CTokenKind kind, string word) => new(kind, word, _line, _at - _lineStart + 1);
}
