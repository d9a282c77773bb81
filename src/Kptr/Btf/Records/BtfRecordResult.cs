using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>A record, or why there is none.</summary>
/// <param name="Record">The special fields; empty with an error.</param>
/// <param name="Error">The kernel's errno; <see cref="Errno.None"/> where the record holds.</param>
/// <param name="Message">One sentence naming the field, empty without an error.</param>
public readonly record struct BtfRecordResult(BtfRecord Record, Errno Error = Errno.None, string Message = "")
{
    /// <summary>Whether there is a record (it may be empty).</summary>
    public bool IsOk => Error == Errno.None;
}
