using Kptr.Diagnostics;

namespace Kptr.Kfuncs;

/// <summary>The text files in <c>Builtin/</c>, which are embedded in the assembly under their bare names.</summary>
internal static class EmbeddedText
{
    internal static string Read(string name)
    {
        using var stream = typeof(EmbeddedText).Assembly.GetManifestResourceStream(name);
        Invariant.That(stream is not null, $"{name} is not embedded");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
