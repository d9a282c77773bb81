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
        var data = FileBytes.Read(path);
        if (IsRaw(data))
        {
            return BtfSpec.Read(data, name, baseBtf);
        }

        var section = ElfFile.ReadAny(data, path).Find(".BTF");
        if (section is null)
        {
            ElfFault.Throw(DiagCode.ElfBtfMissing, path, null, null, "no .BTF section; is the module compressed?");
        }

        return BtfSpec.Read(section.Data, name, baseBtf);
    }

    private static bool IsRaw(ReadOnlySpan<byte> data) => data.Length >= sizeof(ushort)
        && (BinaryPrimitives.ReadUInt16LittleEndian(data) == BtfMagic
            || BinaryPrimitives.ReadUInt16BigEndian(data) == BtfMagic);
}
