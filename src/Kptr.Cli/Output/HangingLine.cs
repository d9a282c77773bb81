using Spectre.Console;
using Spectre.Console.Rendering;

namespace Kptr.Cli.Output;

/// <summary>A line that is wrapped at words, with what follows the first indented.</summary>
internal sealed class HangingLine : Renderable
{
    private const int BodyColumnsMin = 16;
    private readonly Paragraph _head = new();
    private readonly Paragraph _body = new();
    private readonly int? _indent;

    private HangingLine(ReadOnlySpan<Ink> inks, int? indent)
    {
        _indent = indent;
        var left = indent ?? int.MaxValue;
        foreach (var ink in inks)
        {
            var cut = Math.Clamp(left, 0, ink.Text.Length);
            _head.Append(ink.Text[..cut], ink.Style);
            _body.Append(ink.Text[cut..], ink.Style);
            left -= cut;
        }
    }

    /// <summary>A line as it is; the terminal breaks what does not fit.</summary>
    public static HangingLine Unwrapped(ReadOnlySpan<Ink> inks) => new(inks, null);

    public static HangingLine Wrapped(ReadOnlySpan<Ink> inks, int indent) => new(inks, indent);

    protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
    {
        var head = ((IRenderable)_head).Render(options, int.MaxValue / 2);
        if (_indent is not { } indent)
        {
            return head.Append(Segment.LineBreak);
        }

        var columns = Math.Max(maxWidth - indent, BodyColumnsMin);
        var lines = Segment.SplitLines(((IRenderable)_body).Render(options, columns));
        return head.Concat(lines.SelectMany((line, at) => at == 0
            ? Trimmed(line).Append(Segment.LineBreak)
            : Trimmed(line).Prepend(Segment.Padding(indent)).Append(Segment.LineBreak)));
    }

    // A line is broken behind a space, which nobody shall copy.
    private static List<Segment> Trimmed(SegmentLine line)
    {
        List<Segment> kept = [.. line];
        while (kept is [.., { IsWhiteSpace: true }])
        {
            kept.RemoveAt(kept.Count - 1);
        }

        if (kept is [.., var last])
        {
            kept[^1] = new(last.Text.TrimEnd(), last.Style);
        }

        return kept;
    }
}
