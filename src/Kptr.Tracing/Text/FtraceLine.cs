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

        var name = names.Get(head.Name);
        read = new(name, head.TimestampNs, _fields.Parse(name, head.Payload))
        {
            Cpu = head.Cpu,
            Pid = head.Pid,
            Tgid = head.Tgid,
            Comm = names.Get(head.Comm),
            Line = number,
            Offset = offset,
        };
        return true;
    }
}
