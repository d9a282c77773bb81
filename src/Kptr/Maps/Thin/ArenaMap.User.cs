using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

// The pages as a process sees them that has mapped the arena. Kernel: arena_vm_fault.
public sealed partial class ArenaMap
{
    /// <summary>Reads bytes; pages that are not there come, as zeros.</summary>
    /// <param name="address">User space's, as pointers in the arena are.</param>
    /// <param name="target">Where to put them. Values of 1, 2, 4 and 8 aligned bytes are read whole.</param>
    /// <exception cref="ArgumentOutOfRangeException">Some of the bytes are outside of the arena.</exception>
    /// <exception cref="InvalidOperationException">There is no page, and the map has <c>BPF_F_SEGV_ON_FAULT</c> or the
    /// host no memory: a process would get <c>SIGSEGV</c>.</exception>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public void Read(ulong address, Span<byte> target)
    {
        using var held = EnterLive();
        CheckInside(address, target.Length);
        while (!target.IsEmpty)
        {
            var host = Touch(address, (Spec.Flags & MapFlags.SegvOnFault) != 0);
            var part = PartInPage(address, target.Length);
            KernelMemory.CopyOut(host, target[..part]);
            address += (ulong)part;
            target = target[part..];
        }
    }

    /// <summary>Writes bytes; pages that are not there come first.</summary>
    /// <param name="address">User space's, as pointers in the arena are.</param>
    /// <param name="source">The bytes. Values of 1, 2, 4 and 8 aligned bytes are written whole.</param>
    /// <exception cref="ArgumentOutOfRangeException">As for <see cref="Read"/>.</exception>
    /// <exception cref="InvalidOperationException">As for <see cref="Read"/>.</exception>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public void Write(ulong address, ReadOnlySpan<byte> source)
    {
        using var held = EnterLive();
        CheckInside(address, source.Length);
        Fill(address, source, (Spec.Flags & MapFlags.SegvOnFault) != 0);
    }

    /// <summary>Reads a value, as by a pointer to it.</summary>
    /// <param name="address">User space's, as pointers in the arena are.</param>
    /// <typeparam name="T">Laid out as the program's type.</typeparam>
    /// <exception cref="ArgumentException">The C# type has a kptr.</exception>
    /// <exception cref="InvalidOperationException">As for <see cref="Read"/>.</exception>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public T Get<T>(ulong address)
        where T : unmanaged
    {
        PlainStruct.Check<T>();
        var value = default(T);
        Read(address, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    /// <summary>Writes a value, as by a pointer to it.</summary>
    /// <param name="address">User space's, as pointers in the arena are.</param>
    /// <param name="value">The value.</param>
    /// <typeparam name="T">Laid out as the program's type.</typeparam>
    /// <exception cref="ArgumentException">The C# type has a kptr.</exception>
    /// <exception cref="InvalidOperationException">As for <see cref="Read"/>.</exception>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public void Set<T>(ulong address, T value)
        where T : unmanaged
    {
        PlainStruct.Check<T>();
        Write(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref value)));
    }

    // libbpf copies them through its mapping before anybody runs.
    private void WriteInitial(ReadOnlySpan<byte> bytes)
    {
        var inside = (int)Math.Min((ulong)bytes.Length, UserVmEnd - UserVmStart);
        try
        {
            Fill(UserVmStart, bytes[..inside], isFault: false);
        }
        catch (InvalidOperationException)
        {
            throw new MapCreateException(Spec, Errno.ENOMEM);
        }
    }

    private void Fill(ulong address, ReadOnlySpan<byte> source, bool isFault)
    {
        while (!source.IsEmpty)
        {
            var host = Touch(address, isFault);
            var part = PartInPage(address, source.Length);
            KernelMemory.CopyIn(host, source[..part]);
            address += (ulong)part;
            source = source[part..];
        }
    }

    /// <summary>Where an address lies in the host; its page comes if it is not there.</summary>
    private ulong Touch(ulong address, bool isFault)
    {
        var off = address - UserVmStart;
        var page = (int)(off / ArenaSpace.PageBytes);
        if (Pages[page] == 0)
        {
            if (isFault || !Pages.TryMap(page))
            {
                throw new InvalidOperationException(isFault
                    ? $"{this} has no page at {address:x} and BPF_F_SEGV_ON_FAULT: a process gets SIGSEGV"
                    : $"{this}: no memory for a page at {address:x}: a process gets SIGSEGV");
            }

            Take(page, 1);
        }

        return Pages[page] + (off % ArenaSpace.PageBytes);
    }

    /// <summary>How many of some bytes are in the page that the first is in.</summary>
    private int PartInPage(ulong address, int sizeBytes) =>
        Math.Min(sizeBytes, ArenaSpace.PageBytes - (int)((address - UserVmStart) % ArenaSpace.PageBytes));

    private void CheckInside(ulong address, int sizeBytes)
    {
        var off = address - UserVmStart;
        var all = UserVmEnd - UserVmStart;
        if (off > all || (ulong)sizeBytes > all - off)
        {
            throw new ArgumentOutOfRangeException(
                nameof(address), $"{address:x}", $"{sizeBytes} bytes are not all in {UserVmStart:x} to {UserVmEnd:x}");
        }
    }
}
