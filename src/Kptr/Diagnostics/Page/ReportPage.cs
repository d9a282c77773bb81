using System.Net;

namespace Kptr.Diagnostics;

/// <summary>Fills the page that reports are written to. See the README beside it.</summary>
internal static class ReportPage
{
    /// <param name="title">What it is a report of; any text.</param>
    /// <param name="json">The facts, with <c>&lt;</c>, <c>&gt;</c> and <c>&amp;</c> escaped, as
    /// <see cref="System.Text.Encodings.Web.JavaScriptEncoder.Default"/> does.</param>
    /// <exception cref="ArgumentException">The JSON has a character that ends a script.</exception>
    public static string Make(string title, string json)
    {
        if (json.Contains('<', StringComparison.Ordinal))
        {
            throw new ArgumentException("JSON in a page must have no <", nameof(json));
        }

        // What comes from outside is put in last, and is not searched for places again.
        var page = Resource("page.html")
            .Replace("{{STYLE}}", Resource("page.css"), StringComparison.Ordinal)
            .Replace("{{SCRIPT}}", Resource("page.js"), StringComparison.Ordinal)
            .Split("{{DATA}}");
        return page[0].Replace("{{TITLE}}", WebUtility.HtmlEncode(title), StringComparison.Ordinal) + json + page[1];
    }

    private static string Resource(string name)
    {
        using var stream = typeof(ReportPage).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
