using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>What an iterator program writes to (<c>struct seq_file</c>); never full.</summary>
internal sealed class SeqFile : IDisposable
{
    private static readonly FieldSpec[] SeqFields = [new("count", 8)];
    private static readonly FieldSpec[] MetaFields = [new("seq", 8), new("session_id", 8), new("seq_num", 8)];
    private readonly KernelStruct _seq;
    private readonly KernelStruct _meta;
    private readonly MemoryStream _bytes = new();

    internal SeqFile(KernelCore core, long sessionId)
    {
        _seq = new(core, "seq_file", SeqFields);
        _meta = new(core, "bpf_iter_meta", MetaFields);
        _meta.Put("seq", _seq.Address);
        _meta.Put("session_id", (ulong)sessionId);
    }

    /// <summary>Address of the <c>seq_file</c>.</summary>
    internal ulong Address => _seq.Address;

    /// <summary>Address of the <c>bpf_iter_meta</c>, an iterator program's first argument.</summary>
    internal ulong MetaAddress => _meta.Address;

    /// <summary>Which object it is at, from 0.</summary>
    internal long SeqNum
    {
        set => _meta.Put("seq_num", (ulong)value);
    }

    internal void Write(ReadOnlySpan<byte> bytes)
    {
        _bytes.Write(bytes);
        _seq.Put("count", (ulong)_bytes.Length);
    }

    /// <summary>All that was written; a copy.</summary>
    internal byte[] ToArray() => _bytes.ToArray();

    /// <summary>The iteration is over.</summary>
    public void Dispose()
    {
        _meta.Free();
        _seq.Free();
        _bytes.Dispose();
    }
}
