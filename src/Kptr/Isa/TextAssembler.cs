using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;

namespace Kptr.Isa;

/// <summary>Reads the C-like syntax that <see cref="Disassembler"/> and LLVM print, with labels and names.</summary>
/// <remarks>
/// One statement a line; <c>;</c>, <c>#</c> and <c>//</c> start comments; <c>name:</c> is a label. Beyond LLVM's text:
/// <c>call name</c> calls a label, else a helper of that name, else a kfunc (left as a symbol); <c>call +n</c> and
/// <c>call -n</c> call within the program; <c>r1 = name ll</c> and <c>r1 = name+8 ll</c> take addresses;
/// <c>ld_pseudo r1, src, imm, high</c> gives a pseudo load's second immediate, <c>skb[r1 + 4]</c> an indirect packet
/// load's; <c>goto +1 &lt;note&gt;</c> may carry objdump's note.
/// </remarks>
public static class TextAssembler
{
    /// <summary>Assembles a text.</summary>
    /// <param name="text">The program.</param>
    /// <param name="helpers">Number of the helper with a name, or null where there is none.</param>
    /// <exception cref="DiagnosticException">A line cannot be read, or a label is missing.</exception>
    public static AsmProgram Assemble(string text, Func<string, int?>? helpers = null)
    {
        var sink = new DiagSink();
        return TryAssemble(text, sink, out var program, helpers) ? program : throw new DiagnosticException(sink.All);
    }

    /// <summary>Assembles a text, or reports every line it cannot read.</summary>
    public static bool TryAssemble(
        string text, DiagSink sink, [NotNullWhen(true)] out AsmProgram? program, Func<string, int?>? helpers = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(sink);
        var layout = new AsmLayout();
        var before = sink.All.Count;
        var lines = text.Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var scan = new AsmScanner(lines[i]);
            if (AddLine(scan, layout, helpers) is { } fault)
            {
                sink.Report(new Diagnostic(fault.Code, $"line {i + 1}: {fault.Message}: {lines[i].Trim()}") { InsnIdx =
                    layout.Count });
            }
        }

        program = null;
        if (sink.All.Count != before)
        {
            return false;
        }

        if (!layout.TryFinish(out program, out var message, out var insnIdx))
        {
            sink.Report(new Diagnostic(DiagCode.AsmLabel, message) { InsnIdx = insnIdx });
            return false;
        }

        return true;
    }

    private static (DiagCode Code, string Message)? AddLine(
        AsmScanner scan, AsmLayout layout, Func<string, int?>? helpers)
    {
        while (scan.TryLabel(out var label))
        {
            if (!layout.TryAdd(new AsmItem(label)))
            {
                return (DiagCode.AsmLabel, $"label {label} is there twice");
            }
        }

        if (scan.AtEnd)
        {
            return null;
        }

        var items = AsmStatements.Read(scan, helpers);
        if (items is null || !scan.AtEnd)
        {
            return scan.OutOfRange
                ? (DiagCode.AsmRange, "a number does not fit")
                : (DiagCode.AsmSyntax, "cannot read this");
        }

        foreach (var item in items)
        {
            layout.TryAdd(item);
        }

        return null;
    }
}
