using System.Globalization;
using System.Text;

namespace Kptr.Tracing.Binary;

/// <summary>The options that say what timestamps mean; both versions have them.</summary>
internal static class DatOptions
{
    private const int OffsetTextBytesMax = 256;

    /// <summary>Reads an option if it is one of these. The caller goes on behind it.</summary>
    internal static void Read(DatStream file, DatHeader header, int id, uint size)
    {
        switch ((DatOption)id)
        {
            case DatOption.Offset when size <= OffsetTextBytesMax:
                var text = Encoding.ASCII.GetString(file.ReadBytes(size, "an option", OffsetTextBytesMax));
                if (long.TryParse(text.TrimEnd('\0', '\n'), NumberStyles.AllowLeadingSign,
                    CultureInfo.InvariantCulture, out var offset))
                {
                    header.OffsetNs = offset;
                }

                break;
            case DatOption.TscToNs when size >= 16:
                header.Tsc = (file.ReadUInt32(), file.ReadUInt32(), (ulong)file.ReadInt64());
                break;
        }
    }
}

/// <summary>Numbers of options and sections.</summary>
internal enum DatOption
{
    Done = 0,
    Buffer = 3,
    Offset = 7,
    TscToNs = 14,
    HeaderInfo = 16,
    FtraceEvents = 17,
    EventFormats = 18,
    Comms = 21,
    BufferText = 22,
}
