using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Kptr.Isa;

/// <summary>Reads the tokens of one line of assembler text; every <c>Try</c> stays where it is when it fails.</summary>
internal sealed class AsmScanner
{
    private static readonly string[] Signs =
    [
        "s>>=", "<<=", ">>=", "s/=", "s%=", "s>=", "s<=", "+=", "-=", "*=", "/=", "|=", "&=", "%=",
        "^=", "==", "!=", ">=", "<=",
        "s>", "s<", "=", ">", "<", "&",
    ];

    private readonly string _line;
    private int _at;

    internal AsmScanner(string line)
    {
        var end = line.IndexOfAny([';', '#']);
        var slashes = line.IndexOf("//", StringComparison.Ordinal);
        end = slashes >= 0 && (end < 0 || slashes < end) ? slashes : end;
        _line = (end >= 0 ? line[..end] : line).Trim();
    }

    /// <summary>Whether everything was read, but for a note that objdump puts behind jump targets.</summary>
    internal bool AtEnd
    {
        get
        {
            Skip();
            return _at == _line.Length || (_line[_at] == '<' && _line[^1] == '>');
        }
    }

    /// <summary>Whether some number did not fit its field.</summary>
    internal bool OutOfRange { get; private set; }

    internal int Mark => _at;

    internal void Reset(int mark) => _at = mark;

    /// <summary>Reads <c>name:</c>.</summary>
    internal bool TryLabel([NotNullWhen(true)] out string? label)
    {
        var mark = _at;
        if (TryName(out label) && TryChar(':'))
        {
            return true;
        }

        _at = mark;
        label = null;
        return false;
    }

    /// <summary>Reads an identifier: letters, digits, <c>_</c>, <c>.</c> and <c>$</c>, no digit first.</summary>
    internal bool TryName([NotNullWhen(true)] out string? name)
    {
        Skip();
        var end = _at;
        while (end < _line.Length && (char.IsAsciiLetterOrDigit(_line[end]) || _line[end] is '_' or '.' or '$'))
        {
            end++;
        }

        name = end > _at && !char.IsAsciiDigit(_line[_at]) ? _line[_at..end] : null;
        _at = name is null ? _at : end;
        return name is not null;
    }

    /// <summary>Reads this very word.</summary>
    internal bool TryWord(string word)
    {
        var mark = _at;
        if (TryName(out var name) && name == word)
        {
            return true;
        }

        _at = mark;
        return false;
    }

    internal bool TryChar(char c)
    {
        Skip();
        if (_at < _line.Length && _line[_at] == c)
        {
            _at++;
            return true;
        }

        return false;
    }

    /// <summary>Reads <c>r0</c> to <c>r11</c> or <c>w0</c> to <c>w11</c>.</summary>
    internal bool TryReg(out int reg, out bool is64)
    {
        var mark = _at;
        reg = 0;
        is64 = false;
        if (TryName(out var name) && name.Length is 2 or 3 && name[0] is 'r' or 'w'
            && int.TryParse(name.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out reg) && reg < 12)
        {
            is64 = name[0] == 'r';
            return true;
        }

        _at = mark;
        return false;
    }

    /// <summary>Reads a register of one width.</summary>
    internal bool TryReg(bool is64, out int reg)
    {
        var mark = _at;
        if (TryReg(out reg, out var width) && width == is64)
        {
            return true;
        }

        _at = mark;
        return false;
    }

    /// <summary>Reads the longest assignment or comparison sign.</summary>
    internal bool TrySign([NotNullWhen(true)] out string? sign)
    {
        Skip();
        foreach (var candidate in Signs)
        {
            if (string.CompareOrdinal(_line, _at, candidate, 0, candidate.Length) == 0)
            {
                _at += candidate.Length;
                sign = candidate;
                return true;
            }
        }

        sign = null;
        return false;
    }

    /// <summary>Reads an optional sign and a decimal or <c>0x</c> number between two bounds.</summary>
    internal bool TryNumber(Int128 min, Int128 max, out Int128 value)
    {
        var mark = _at;
        var negative = TryChar('-');
        if (!negative)
        {
            TryChar('+');
        }

        if (!TryDigits(out value))
        {
            _at = mark;
            return false;
        }

        value = negative ? -value : value;
        if (value >= min && value <= max)
        {
            return true;
        }

        OutOfRange = true;
        _at = mark;
        return false;
    }

    internal bool TryInt(out int value)
    {
        var isRead = TryNumber(int.MinValue, int.MaxValue, out var wide);
        value = isRead ? (int)wide : 0;
        return isRead;
    }

    private bool TryDigits(out Int128 value)
    {
        Skip();
        var isHex = string.Compare(_line, _at, "0x", 0, 2, StringComparison.OrdinalIgnoreCase) == 0;
        var start = _at + (isHex ? 2 : 0);
        var end = start;
        while (end < _line.Length && (isHex ? char.IsAsciiHexDigit(_line[end]) : char.IsAsciiDigit(_line[end])))
        {
            end++;
        }

        value = 0;
        if (end == start || end - start > 20)
        {
            return false;
        }

        foreach (var digit in _line.AsSpan(start, end - start))
        {
            value = (value * (isHex ? 16 : 10)) + Convert.ToInt32(digit.ToString(), isHex ? 16 : 10);
        }

        _at = end;
        return true;
    }

    private void Skip()
    {
        while (_at < _line.Length && char.IsWhiteSpace(_line[_at]))
        {
            _at++;
        }
    }
}
