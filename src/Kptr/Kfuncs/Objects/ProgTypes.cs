using System.Collections.Concurrent;
using Kptr.Btf;
using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>The structs of programs and their special fields, read once for each program object.</summary>
internal sealed class ProgTypes(KernelCore core)
{
    private readonly ConcurrentDictionary<BtfSpec, Lazy<BtfRecordReader>> _readers = new();

    /// <summary>The special fields of a struct of a program's BTF.</summary>
    internal BtfRecord RecordOf(BtfSpec btf, int typeId)
    {
        var spec = core.Spec;
        var reader = _readers.GetOrAdd(
            btf,
            b => new(() => new BtfRecordReader(b, spec.Types, spec.Dtors.GetValueOrDefault, spec.Profile.RecordRules)));
        return reader.Value.StructRecord(typeId) ?? BtfRecord.Empty;
    }
}
