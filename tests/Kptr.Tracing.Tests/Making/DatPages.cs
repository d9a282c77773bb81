using System.Buffers.Binary;

namespace Kptr.Tracing.Tests.Making;

/// <summary>The ring buffer of one CPU, as the kernel writes it.</summary>
internal sealed class DatPages(bool isBigEndian)
{
    public const int PageBytes = 4096;

    private const int HeaderBytes = 16;
    private const long DeltaMax = (1 << 27) - 1;
    private readonly byte[] _page = new byte[PageBytes];
    private int _at;
    private long _lastNs;
    private long _lost = -1;

    public MemoryStream Bytes { get; } = new();

    /// <summary>Events are lost before the next one: a new page says so.</summary>
    public void Lose(long count)
    {
        Flush();
        _lost = count;
    }

    public void Add(long ns, ReadOnlySpan<byte> record)
    {
        var size = (record.Length + 3) / 4 * 4;
        if (_at > 0 && _at + 16 + size > PageBytes - 8)
        {
            Flush();
        }

        if (_at == 0)
        {
            _lastNs = ns;
            _at = HeaderBytes;
            Put64(0, ns);
        }

        var delta = ns - _lastNs;
        _lastNs = ns;
        if (delta > DeltaMax)
        {
            PutWord(30, delta & DeltaMax, delta >> 27);
            delta = 0;
        }

        // Data of up to 112 bytes has its length in the type.
        if (size <= 112)
        {
            PutWord(size / 4, delta);
        }
        else
        {
            PutWord(0, delta, size + 4);
        }

        record.CopyTo(_page.AsSpan(_at));
        _at += size;
    }

    public void Flush()
    {
        if (_at == 0)
        {
            return;
        }

        var used = _at - HeaderBytes;
        var flags = _lost < 0 ? 0 : (1L << 31) | (1L << 30);
        Put64(8, (uint)used | flags);
        if (_lost >= 0)
        {
            Put64(_at, _lost);
        }

        Bytes.Write(_page);
        Array.Clear(_page);
        _lost = -1;
        _at = 0;
    }

    private void PutWord(int type, long delta, long? array = null)
    {
        Put32(_at, isBigEndian ? ((long)type << 27) | delta : (delta << 5) | (uint)type);
        _at += 4;
        if (array is { } value)
        {
            Put32(_at, value);
            _at += 4;
        }
    }

    private void Put32(int at, long value)
    {
        if (isBigEndian)
        {
            BinaryPrimitives.WriteUInt32BigEndian(_page.AsSpan(at), (uint)value);
        }
        else
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(at), (uint)value);
        }
    }

    private void Put64(int at, long value)
    {
        if (isBigEndian)
        {
            BinaryPrimitives.WriteInt64BigEndian(_page.AsSpan(at), value);
        }
        else
        {
            BinaryPrimitives.WriteInt64LittleEndian(_page.AsSpan(at), value);
        }
    }
}
