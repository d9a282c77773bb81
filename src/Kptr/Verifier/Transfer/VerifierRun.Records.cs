using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>The special fields of types, and other facts about the program.</content>
internal sealed partial class VerifierRun
{
    private BtfRecordReader? _records;

    /// <summary>
    /// Special fields of what a register points to; empty for everything but map values and local objects.
    /// </summary>
    public BtfRecord RecordOf(in RegState reg)
    {
        if (reg.Type == RegType.PtrToMapValue)
        {
            return reg.Map!.Record;
        }

        return reg.Type.IsAllocObj() ? RecordOfType(reg.Btf!, reg.BtfId) : BtfRecord.Empty;
    }

    /// <summary>Special fields of an object type of the program's BTF (<c>btf_find_struct_meta</c>).</summary>
    public BtfRecord RecordOfType(BtfSpec btf, int typeId)
    {
        if (IsKernelBtf(btf))
        {
            return BtfRecord.Empty;
        }

        _records ??= new BtfRecordReader(btf, Types, Kernel.Dtors.GetValueOrDefault, Kernel.Profile.RecordRules);
        if (!_records.Load.IsOk)
        {
            Reject(DiagCode.BtfMalformed, $"the kernel refuses the program's BTF: {_records.Load.Message}",
                errno: _records.Load.Error);
        }

        return _records.StructRecord(typeId) ?? BtfRecord.Empty;
    }
}
