namespace Kptr.Tracing.Binary;

/// <summary>The events of one CPU: its pages of the ring buffer, one in memory at a time.</summary>
/// <remarks>Kernel: <c>kernel/trace/ring_buffer.c</c> and <c>include/linux/ring_buffer.h</c>, 6.12.</remarks>
internal sealed class CpuPages
{
    private const int PaddingType = 29;
    private const int TimeExtendType = 30;
    private const int TimeStampType = 31;
    private const int DeltaBits = 27;
    private const long CommitMask = (1L << DeltaBits) - 1;
    private const long MissedEvents = 1L << 31;
    private const long MissedStored = 1L << 30;

    // An absolute time has 59 bits; what is above them is that of the page.
    private const ulong TimeHighBits = 0xf8UL << 56;
    private readonly DatStream _file;
    private readonly DatHeader _header;
    private readonly byte[] _page;
    private readonly long _end;
    private long _nextPage;
    private long _pageOffset;
    private ulong _time;
    private int _at;
    private int _dataEnd;
    private int _recordBytes;

    internal CpuPages(DatStream file, DatHeader header, CpuData data)
    {
        _file = file;
        _header = header;
        _page = new byte[header.PageBytes];
        _nextPage = data.Offset;
        _end = data.Offset + data.Size;
        Cpu = data.Cpu;
    }

    internal int Cpu { get; }

    /// <summary>When the current event was, in the recording's own clock.</summary>
    internal ulong Time => _time;

    /// <summary>Events lost before the current one; 0 for an unknown number, -1 for none.</summary>
    internal long Lost { get; private set; } = -1;

    /// <summary>Where the current record is in the file.</summary>
    internal long RecordOffset { get; private set; }

    /// <summary>The current record, valid until the next.</summary>
    internal ReadOnlySpan<byte> Record => _page.AsSpan((int)(RecordOffset - _pageOffset), _recordBytes);

    /// <summary>Goes to the next event.</summary>
    internal bool TryNext()
    {
        Lost = -1;
        while (true)
        {
            if (_at >= _dataEnd)
            {
                if (_nextPage >= _end)
                {
                    return false;
                }

                ReadPage();
                continue;
            }

            if (TryStep())
            {
                return true;
            }
        }
    }

    private void ReadPage()
    {
        // The last page of a CPU may be written short.
        var count = (int)Math.Min(_page.Length, _end - _nextPage);
        _pageOffset = _nextPage;
        _nextPage += count;
        _file.Position = _pageOffset;
        _file.ReadExactly(_page.AsSpan(0, count));
        if (count < _header.DataOffset)
        {
            throw _file.Broken(_pageOffset, "a page of events is shorter than its header");
        }

        _time = (ulong)_file.ToInt64(_page);
        var commit = LongAt(_header.Commit.Offset);
        var used = commit & CommitMask & ~MissedStored;
        _at = _header.DataOffset;
        if (used > count - _at)
        {
            throw _file.Broken(
                _pageOffset + _header.Commit.Offset, $"a page says that {used} bytes of it are in use; it has {count}");
        }

        _dataEnd = _at + (int)used;
        if ((commit & MissedEvents) != 0)
        {
            var isStored = (commit & MissedStored) != 0 && _dataEnd + _header.Commit.Size <= count;
            Lost = isStored ? Math.Max(LongAt(_dataEnd), 0) : 0;
        }
    }

    // A long of the recorded kernel.
    private long LongAt(int at) =>
        _header.Commit.Size == 8 ? _file.ToInt64(_page.AsSpan(at)) : _file.ToUInt32(_page.AsSpan(at));

    // One entry of the page; true where it is an event.
    private bool TryStep()
    {
        var start = _at;
        var word = Word(start);
        var type = (int)(_file.IsBigEndian ? word >> DeltaBits : word & 0x1f);
        var delta = _file.IsBigEndian ? word & (uint)CommitMask : word >> 5;
        _at += 4;
        switch (type)
        {
            case PaddingType when delta == 0:
                _at = _dataEnd;
                return false;
            case PaddingType:
                _time += delta;
                _at += Length(start, Word(_at));
                return false;
            case TimeExtendType:
                _time += delta + ((ulong)Word(_at) << DeltaBits);
                _at += 4;
                return false;
            case TimeStampType:
                _time = (_time & TimeHighBits) | (delta + ((ulong)Word(_at) << DeltaBits));
                _at += 4;
                return false;
        }

        _time += delta;
        var bytes = type * 4;
        if (type == 0)
        {
            // The length counts its own word.
            bytes = Length(start, Word(_at)) - 4;
            _at += 4;
        }

        if (bytes < 8 || _at + bytes > _dataEnd)
        {
            throw _file.Broken(_pageOffset + start, $"an event of {bytes} bytes does not fit its page");
        }

        RecordOffset = _pageOffset + _at;
        _recordBytes = bytes;
        _at += bytes;
        return true;
    }

    private int Length(int start, uint bytes) => bytes >= 4 && bytes <= _dataEnd - start
        ? (int)bytes
        : throw _file.Broken(_pageOffset + start, $"an entry is said to have {bytes} bytes, more than its page");

    private uint Word(int at) => at + 4 <= _dataEnd
        ? _file.ToUInt32(_page.AsSpan(at))
        : throw _file.Broken(_pageOffset + at, "a page ends within an entry");
}
