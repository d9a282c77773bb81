using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kptr.Cli.Inspect;

/// <summary>
/// How <c>kptr inspect --format json</c> writes what it shows: code made by the compiler, since
/// reflection may be trimmed away.
/// </summary>
[JsonSerializable(typeof(Dictionary<string, object?>), TypeInfoPropertyName = "Document")]
[JsonSerializable(typeof(ImmutableArray<ProgView>))]
[JsonSerializable(typeof(ImmutableArray<MapView>))]
[JsonSerializable(typeof(ImmutableArray<ExternView>))]
[JsonSerializable(typeof(Dictionary<string, IEnumerable<string>>))]
internal sealed partial class InspectJson : JsonSerializerContext
{
    public static InspectJson Readable { get; } = Create(isIndented: true);

    /// <summary>All in one line.</summary>
    public static InspectJson Compact { get; } = Create(isIndented: false);

    private static InspectJson Create(bool isIndented) => new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = isIndented,
    });
}
