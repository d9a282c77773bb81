using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>Ends the reading of one record; never leaves <see cref="BtfRecordReader"/>.</summary>
internal sealed class BtfRecordFault(Errno error, string message) : Exception(message)
{
    internal Errno Error { get; } = error;

    internal BtfRecordResult Result => new(BtfRecord.Empty, Error, Message);
}
