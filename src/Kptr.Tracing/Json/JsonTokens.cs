using System.Text.Json;
using Kptr.Tracing.Text;

namespace Kptr.Tracing.Json;

/// <summary>The tokens of a JSON stream one by one, in a buffer as long as the longest of them.</summary>
internal sealed class JsonTokens(Stream stream, string name, NameCache names) : IDisposable
{
    /// <summary>The longest token that is read.</summary>
    internal const int TokenBytesMax = 1024 * 1024;

    private static readonly JsonReaderOptions Options = new()
    {
        AllowTrailingCommas = true,
        CommentHandling = JsonCommentHandling.Disallow,
    };

    private readonly ReadAhead _ahead = new(stream, TokenBytesMax);
    private JsonReaderState _state = new(Options);
    private string? _text;
    private Range _value; // of what was taken

    internal JsonTokenType Type { get; private set; }

    internal int Depth { get; private set; }

    /// <summary>Line of the last token, from 1.</summary>
    internal long Line { get; private set; } = 1;

    /// <summary>Where the last token ends.</summary>
    internal long Offset { get; private set; }

    /// <summary>The bytes of a number.</summary>
    internal ReadOnlySpan<byte> Number => _ahead.Taken[_value];

    /// <summary>The text of a string or a property's name.</summary>
    internal string Text => _text ??= names.Get(_ahead.Taken[_value]);

    /// <summary>Whether only white space and commas are left.</summary>
    internal bool IsNothingLeft => _ahead.IsAtEnd && _ahead.Rest.Trim(" \t\r\n,"u8).IsEmpty;

    /// <summary>Reads a token; false at the end of the whole value.</summary>
    internal bool Read()
    {
        while (true)
        {
            var reader = new Utf8JsonReader(_ahead.Rest, _ahead.IsAtEnd, _state);
            try
            {
                if (reader.Read())
                {
                    Take(ref reader);
                    return true;
                }
            }
            catch (JsonException error)
            {
                throw new TraceFormatException(
                    name, (error.LineNumber ?? 0) + 1, Offset, "this is no JSON, or it is cut off");
            }
            catch (InvalidOperationException)
            {
                throw Broken("a string is no valid UTF-8 or has half of a surrogate pair");
            }

            if (_ahead.IsAtEnd)
            {
                return false;
            }

            // What was read over is white space.
            Advance((int)reader.BytesConsumed);
            _state = reader.CurrentState;
            if (!_ahead.TryFill())
            {
                throw Broken($"a string or number is longer than {TokenBytesMax} bytes");
            }
        }
    }

    /// <summary>Goes over the rest of the object or array that the last token began.</summary>
    internal void Skip()
    {
        if (Type is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
        {
            return;
        }

        var depth = Depth;
        while (Read() && Depth > depth)
        {
        }
    }

    internal TraceFormatException Broken(string reason) => new(name, Line, Offset, reason);

    public void Dispose() => _ahead.Dispose();

    private void Take(ref Utf8JsonReader reader)
    {
        Type = reader.TokenType;
        Depth = reader.CurrentDepth;
        var isText = Type is JsonTokenType.String or JsonTokenType.PropertyName;
        var length = reader.ValueSpan.Length;
        var read = _ahead.Rest[..(int)reader.BytesConsumed];
        _text = isText && reader.ValueIsEscaped ? reader.GetString() : null;

        // A property's colon is read over with its name.
        var close = isText ? read.LastIndexOf((byte)'"') : read.Length;
        _value = (close - length)..close;
        _state = reader.CurrentState;
        Advance(read.Length);
    }

    private void Advance(int count)
    {
        Line += _ahead.Take(count).Count((byte)'\n');
        Offset += count;
    }
}
