using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>Bytes of raw BTF: an array, or a file mapped into memory for as long as somebody refers to it.</summary>
internal sealed unsafe class BtfFile
{
    private readonly byte[]? _array;
    private readonly int _start;
    private readonly byte* _mapped;
    private readonly SafeHandle? _view;

    private BtfFile(byte[] array, int start, int length) => (_array, _start, Length) = (array, start, length);

    private BtfFile(SafeHandle view, byte* mapped, int length)
    {
        _view = view;
        _mapped = mapped;
        Length = length;
    }

    internal int Length { get; }

    /// <summary>All bytes. The caller keeps this object alive while it reads them.</summary>
    internal ReadOnlySpan<byte> Span =>
        _array is not null ? _array.AsSpan(_start, Length) : new ReadOnlySpan<byte>(_mapped, Length);

    internal static BtfFile Of(ReadOnlyMemory<byte> data)
    {
        if (MemoryMarshal.TryGetArray(data, out var segment) && segment.Array is { } array)
        {
            return new(array, segment.Offset, segment.Count);
        }

        return new(data.ToArray(), 0, data.Length);
    }

    /// <summary>
    /// Maps a file; reads it instead where it cannot be mapped, as in /sys. Null and a report where neither works.
    /// </summary>
    internal static BtfFile? Open(string path, DiagSink sink)
    {
        try
        {
            return TryMap(path) ?? Of(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException
            or ArgumentException)
        {
            sink.Report(new(DiagCode.FileUnreadable, e.Message) { File = path });
            return null;
        }
    }

    private static BtfFile? TryMap(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            if (stream.Length is 0 or > int.MaxValue)
            {
                return null;
            }

            using var map = MemoryMappedFile.CreateFromFile(
                stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            using var accessor = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            byte* start = null;
            var view = accessor.SafeMemoryMappedViewHandle;
            view.AcquirePointer(ref start);
            return new(new MappedView(view), start, (int)stream.Length);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Gives the pointer's reference on the view back when nobody uses the bytes any more.</summary>
    private sealed class MappedView : SafeHandle
    {
        private readonly SafeBuffer _view;

        internal MappedView(SafeBuffer view)
            : base(0, true)
        {
            _view = view;
            SetHandle(view.DangerousGetHandle());
        }

        public override bool IsInvalid => false;

        protected override bool ReleaseHandle()
        {
            _view.ReleasePointer();
            return true;
        }
    }
}

/// <summary>The two sections of a BTF; types are words of this machine's byte order, whatever the file had.</summary>
internal sealed class BtfBytes(
    BtfFile types, int typesStart, int typesLength, BtfFile strings, int stringsStart, int stringsLength)
{
    /// <summary>
    /// What a kernel has against the way header and sections fill the file; null where it has nothing.
    /// </summary>
    internal string? LayoutFault { get; init; }

    internal int StringsLength => stringsLength;

    internal ReadOnlySpan<uint> Types => MemoryMarshal.Cast<byte, uint>(types.Span.Slice(typesStart, typesLength));

    internal ReadOnlySpan<byte> Strings => strings.Span.Slice(stringsStart, stringsLength);
}
