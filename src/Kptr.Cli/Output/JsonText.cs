using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Kptr.Cli.Output;

/// <summary>JSON as the tool writes it.</summary>
internal static class JsonText
{
    /// <summary>In one line, with characters as they are.</summary>
    public static JsonWriterOptions Compact { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Indented, with characters as they are.</summary>
    public static JsonWriterOptions Readable { get; } = Compact with { Indented = true };

    /// <summary>In one line, and without a character that means something to HTML.</summary>
    public static JsonWriterOptions InPage { get; }

    /// <summary>One object.</summary>
    /// <param name="options">How it looks.</param>
    /// <param name="write">Writes its members.</param>
    public static string Of(JsonWriterOptions options, Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    public static void WriteNumberOrNull(this Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
