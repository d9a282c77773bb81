using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>
/// Reads BPF object files as clang and <c>bpftool gen object</c> write them, with libbpf's conventions.
/// </summary>
/// <remarks>Reading touches no kernel: names stay names until the linker meets a <see cref="KernelSpec"/>.</remarks>
public static class ObjectReader
{
    /// <summary>Reads an object file.</summary>
    /// <exception cref="DiagnosticException">The file cannot be read, or libbpf would refuse it too.</exception>
    public static ObjectSpec Read(string path)
    {
        var sink = new DiagSink();
        return TryRead(path, sink) ?? throw new DiagnosticException(sink.All);
    }

    /// <summary>Reads an object from memory.</summary>
    /// <exception cref="DiagnosticException">The bytes are no BPF object, or libbpf would refuse it too.</exception>
    public static ObjectSpec Read(ReadOnlyMemory<byte> data, string name)
    {
        var sink = new DiagSink();
        return TryRead(data, name, sink) ?? throw new DiagnosticException(sink.All);
    }

    /// <summary>Reads an object file; what is wrong goes to <paramref name="sink"/>, and null comes back.</summary>
    public static ObjectSpec? TryRead(string path, DiagSink sink)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(sink);
        return FileBytes.TryRead(path, sink) is { } data ? TryRead(data, path, sink) : null;
    }

    /// <summary>
    /// Reads an object from memory; what is wrong goes to <paramref name="sink"/>, and null comes back.
    /// </summary>
    /// <param name="data">The whole file; not kept.</param>
    /// <param name="name">Its path or name, for diagnostics and for the object's own name.</param>
    /// <param name="sink">Where faults go.</param>
    public static ObjectSpec? TryRead(ReadOnlyMemory<byte> data, string name, DiagSink sink)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(sink);
        try
        {
            return new ObjectBuilder(ElfFile.Read(data, name)).Build();
        }
        catch (DiagnosticException e)
        {
            foreach (var fault in e.Diagnostics)
            {
                sink.Report(fault);
            }

            return null;
        }
    }
}
