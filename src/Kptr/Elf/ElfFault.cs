using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;

namespace Kptr.Elf;

/// <summary>
/// Leaves a read with one fault; <see cref="ObjectReader.TryRead(ReadOnlyMemory{byte}, string, DiagSink)"/> catches it.
/// </summary>
internal static class ElfFault
{
    [DoesNotReturn]
    public static void Throw(DiagCode code, string file, string? section, long? offset, string message) =>
        throw new DiagnosticException([new(code, message) { File = file, Section = section, OffsetBytes = offset }]);
}
