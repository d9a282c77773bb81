using System.Buffers.Binary;
using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Elf;

/// <summary>
/// Reads the types of a real kernel: raw BTF (<c>/sys/kernel/btf/vmlinux</c>), or an ELF file
/// with a <c>.BTF</c> section.
/// </summary>
public static class KernelBtfReader
{
    private const ushort BtfMagic = 0xeb9f;

    /// <summary>Reads a kernel's BTF and those of its modules.</summary>
    /// <param name="vmlinuxPath">The kernel's file.</param>
    /// <param name="modules">Name and file of each module; their BTF is split from the kernel's.</param>
    /// <exception cref="DiagnosticException">A file cannot be read or has no BTF.</exception>
    public static KernelTypes Read(string vmlinuxPath, params IEnumerable<(string Name, string Path)> modules)
    {
        ArgumentNullException.ThrowIfNull(modules);
        var vmlinux = ReadOne(vmlinuxPath, "vmlinux", null);
        return new(vmlinux, modules.Select(m => ReadOne(m.Path, m.Name, vmlinux)));
    }

    private static BtfSpec ReadOne(string path, string name, BtfSpec? baseBtf)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] data;
        try
        {
            if (IsRaw(path))
            {
                return BtfSpec.Open(path, name, baseBtf);
            }

            data = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new DiagnosticException([new(DiagCode.FileUnreadable, e.Message) { File = path }]);
        }

        var section = ElfFile.ReadAny(data, path).Find(".BTF");
        if (section is null)
        {
            ElfFault.Throw(DiagCode.ElfBtfMissing, path, null, null, "no .BTF section; is the module compressed?");
        }

        return BtfSpec.Read(section.Data, name, baseBtf);
    }

    private static bool IsRaw(string path)
    {
        using var file = File.OpenRead(path);
        Span<byte> start = stackalloc byte[2];
        return file.ReadAtLeast(start, 2, throwOnEndOfStream: false) == 2
            && (BinaryPrimitives.ReadUInt16LittleEndian(start) == BtfMagic
                || BinaryPrimitives.ReadUInt16BigEndian(start) == BtfMagic);
    }
}
