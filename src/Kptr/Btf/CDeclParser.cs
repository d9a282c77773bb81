using Kptr.Btf.CDecl;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>Reads C declarations and gives the BTF that a kernel or compiler for x86-64 would make of them.</summary>
/// <remarks>
/// Understood are structs and unions (bit fields, anonymous ones, <c>packed</c>, <c>aligned</c>), enums,
/// typedefs, variables, function prototypes, forward declarations and <c>#define</c> of integers; the kernel's
/// everyday names (<c>u64</c>, <c>bool</c>, <c>size_t</c>) need no declaration. <c>__kptr</c>,
/// <c>__kptr_untrusted</c>, <c>__percpu_kptr</c>, <c>__uptr</c>, <c>__rcu</c>, <c>__user</c> and <c>__percpu</c>
/// become type tags below the pointer, <c>__contains(type, field)</c>, <c>__arg_ctx</c> and its like and
/// <c>__bpf_kfunc</c> declaration tags. A function is static with <c>static</c>, extern with <c>extern</c> and
/// global without either. Not safe for several threads at once.
/// </remarks>
public sealed class CDeclParser
{
    private readonly BtfBuilder _builder;
    private readonly CScope _scope;

    /// <summary>Starts without declarations, or on top of those of <paramref name="baseBtf"/>.</summary>
    /// <param name="name">Name of the BTF that <see cref="Build"/> gives.</param>
    /// <param name="baseBtf">A BTF whose types may be used; the result is then split from it.</param>
    public CDeclParser(string name, BtfSpec? baseBtf = null)
    {
        _builder = new BtfBuilder(name, baseBtf);
        _scope = new CScope(_builder);
    }

    /// <summary>Reads one text of declarations.</summary>
    /// <exception cref="DiagnosticException">The text has a fault; its message says line and column.</exception>
    public static BtfSpec Parse(string text, string name, BtfSpec? baseBtf = null)
    {
        var parser = new CDeclParser(name, baseBtf);
        parser.Add(text, name);
        return parser.Build();
    }

    /// <summary>Reads one text; reports the first fault to <paramref name="sink"/> and returns null then.</summary>
    public static BtfSpec? TryParse(string text, string name, BtfSpec? baseBtf, DiagSink sink)
    {
        var parser = new CDeclParser(name, baseBtf);
        return parser.TryAdd(text, name, sink) ? parser.Build() : null;
    }

    /// <summary>Reads further declarations, which may use the earlier ones.</summary>
    /// <exception cref="DiagnosticException">The text has a fault; what precedes it stays declared.</exception>
    public CDeclParser Add(string text, string fileName)
    {
        var sink = new DiagSink();
        return TryAdd(text, fileName, sink) ? this : throw new DiagnosticException(sink.All);
    }

    /// <summary>Reads further declarations; on a fault, what precedes it stays declared.</summary>
    public bool TryAdd(string text, string fileName, DiagSink sink)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(sink);
        try
        {
            new CParser(CLexer.Lex(text), _scope, _builder).ParseAll();
            return true;
        }
        catch (CSyntaxException e)
        {
            var place = $"{fileName}:{e.At.Line}:{e.At.Column}";
            sink.Report(new Diagnostic(e.Code, $"{place}: {e.Message}") { File = fileName, Source = place });
            return false;
        }
    }

    /// <summary>What is built.</summary>
    public override string ToString() => $"C declarations of {_builder}";

    /// <summary>The types of everything declared so far.</summary>
    public BtfSpec Build() => _builder.Build();
}
