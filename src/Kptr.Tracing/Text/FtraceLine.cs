using System.Diagnostics.CodeAnalysis;

namespace Kptr.Tracing.Text;

/// <summary>Reads a line of ftrace text, wherever it stands.</summary>
internal sealed class FtraceLine(NameCache names)
{
    private readonly FieldParser _fields = new(names);

    internal bool TryParse(ReadOnlySpan<byte> line, long number, long offset, [NotNullWhen(true)] out TraceEvent? read)
    {
        if (!EventHead.TryParseFtrace(line, out var head))
        {
            read = null;
            return false;
        }

        read = head.ToEvent(names, _fields, number, offset);
        return true;
    }
}
