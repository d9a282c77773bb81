namespace Kptr.Analyzers.Kfuncs;

/// <summary>Reads a C prototype, and says what is wrong with it.</summary>
/// <remarks>
/// It finds fault with nothing that Kptr's own reader of C takes. A name that stands where a type must is taken for a
/// typedef: which there are, only the kernel's declarations say. What it has no idea of (attributes with arguments,
/// structs defined in passing) it gives up on.
/// </remarks>
internal sealed class PrototypeParser
{
    private const int DepthMax = 50;
    private static readonly HashSet<string> s_basicWords =
    [
        "void", "char", "short", "int", "long", "signed", "unsigned", "_Bool", "float", "double", "__int128",
        "__signed__", "__signed",
    ];

    private static readonly HashSet<string> s_passedOver =
    [
        "const", "__const", "volatile", "__volatile__", "restrict", "__restrict", "__restrict__", "extern", "static",
        "inline", "__inline", "__inline__", "__weak", "__hidden", "__ksym", "__always_inline", "__noinline",
        "__extension__", "__must_check", "__kptr", "__kptr_untrusted", "__percpu_kptr", "__uptr", "__rcu", "__user",
        "__percpu", "__bpf_kfunc", "__arg_ctx", "__arg_nonnull", "__arg_nullable", "__arg_trusted", "__arg_arena",
        "__packed",
    ];

    private static readonly HashSet<string> s_notUnderstood = ["__contains", "SEC", "__attribute__", "typedef"];

    private readonly List<CToken> _tokens;
    private int _at;
    private int _depth;
    private string? _fault;
    private bool _isGivenUp;

    private PrototypeParser(List<CToken> tokens)
    {
        _tokens = tokens;
    }

    private CToken Now => _tokens[_at];

    private CToken Ahead(int count) => _tokens[Math.Min(_at + count, _tokens.Count - 1)];

    /// <summary>What it says, or its fault; neither where the parser has given up.</summary>
    internal static (Prototype? Read, string? Fault) Parse(string text)
    {
        if (CToken.Cut(text) is not { } tokens
            || tokens.Any(t => t.IsName && s_notUnderstood.Contains(t.Text)))
        {
            return default;
        }

        var parser = new PrototypeParser(tokens);
        var read = parser.Whole();
        return parser._fault is { } fault ? (null, fault) : (parser._isGivenUp ? null : read, null);
    }

    private Prototype? Whole()
    {
        if (!Specifiers(out var isVoid, isParam: false))
        {
            return null;
        }

        var declared = Declarator(isVoid);
        while (Now.Text == ";")
        {
            _at++;
        }

        if (_fault is null && !Now.IsEnd)
        {
            Fail($"has {Now.Shown} after its end");
        }

        if (_fault is null && declared.Name.Length == 0)
        {
            Fail("has no name");
        }

        if (_fault is null && !declared.IsFunction)
        {
            Fail("is no function");
        }

        return new(
            declared.Name, isVoid && !declared.IsPointer, declared.IsPointer, declared.Params, declared.IsVariadic)
        {
            TakesPointer = declared.TakesPointer,
        };
    }

    /// <summary>Reads the words before pointers and name; false at a fault.</summary>
    private bool Specifiers(out bool isVoid, bool isParam)
    {
        var (basics, hasType, isQualified) = (0, false, false);
        isVoid = false;
        while (Now.IsName)
        {
            if (s_passedOver.Contains(Now.Text))
            {
                isQualified |= Now.Text.Trim('_') is "const" or "volatile" or "restrict";
                _at++;
            }
            else if (s_basicWords.Contains(Now.Text))
            {
                if (hasType)
                {
                    // Kptr's reader takes it for a name.
                    break;
                }

                isVoid = Now.Text == "void" && basics == 0;
                basics++;
                _at++;
            }
            else if (basics > 0 || hasType)
            {
                break;
            }
            else if (Now.Text is "struct" or "union" or "enum")
            {
                var kind = Now.Text;
                _at++;
                if (!Now.IsName)
                {
                    return Fail($"has {Now.Shown} where the name of a {kind} belongs");
                }

                _at++;
                hasType = true;
            }
            else if (isParam || IsTypeBeforeName())
            {
                _at++;
                hasType = true;
            }
            else
            {
                return Fail("has no result type");
            }
        }

        // Kptr's reader takes 'const void' for a type as good as others.
        isVoid &= basics == 1 && !isQualified;
        return basics > 0 || hasType || Fail($"has {Now.Shown} where a type belongs");
    }

    // Between a typedef's name and the function's stand at most pointers and words that are passed over.
    private bool IsTypeBeforeName()
    {
        var next = Ahead(1);
        return next.IsName || next.Text == "*" || (next.Text == "(" && Ahead(2).Text == "*");
    }

    private Declared Declarator(bool isVoid)
    {
        var declared = default(Declared);
        declared.Name = "";
        if (++_depth > DepthMax)
        {
            _isGivenUp = true;
            _at = _tokens.Count - 1;
            return declared;
        }

        while (Now.Text == "*" || (Now.IsName && s_passedOver.Contains(Now.Text)))
        {
            declared.IsPointer |= Now.Text == "*";
            _at++;
        }

        if (Now.Text == "(" && IsNested())
        {
            // Of a pointer to a function only that it is one is asked.
            _at++;
            var inner = Declarator(isVoid);
            declared.Name = inner.Name;
            declared.IsNested = inner.IsPointer || inner.IsNested;
            if (!Expect(")"))
            {
                return declared;
            }
        }
        else if (Now.IsName)
        {
            declared.Name = Now.Text;
            _at++;
        }

        while (_fault is null && (Now.Text == "[" || Now.Text == "("))
        {
            if (Now.Text == "[")
            {
                PassArray();
                declared.IsArray = true;
            }
            else
            {
                Params(ref declared);
            }
        }

        while (Now.IsName && s_passedOver.Contains(Now.Text))
        {
            _at++;
        }

        _depth--;
        return declared;
    }

    private bool IsNested()
    {
        var next = Ahead(1);
        return next.Text is "*" or "("
            || (next.IsName && !s_basicWords.Contains(next.Text) && !s_passedOver.Contains(next.Text)
                && next.Text is not ("struct" or "union" or "enum") && Ahead(2).Text == ")"
                && Ahead(3).Text == "(");
    }

    private void PassArray()
    {
        while (!Now.IsEnd && Now.Text != "]")
        {
            _at++;
        }

        Expect("]");
    }

    private void Params(ref Declared declared)
    {
        declared.IsFunction = !declared.IsNested;
        Expect("(");
        if (Now.Text == ")")
        {
            _at++;
            return;
        }

        if (Now.Text == "void" && Ahead(1).Text == ")")
        {
            _at += 2;
            return;
        }

        do
        {
            if (Now.Text == "...")
            {
                declared.IsVariadic = true;
                _at++;
                break;
            }

            if (!Specifiers(out var isVoid, isParam: true))
            {
                return;
            }

            var param = Declarator(isVoid);
            declared.TakesPointer |= declared.Params == 0 && (param.IsPointer || param.IsArray);
            declared.Params++;
            if (_fault is null && isVoid && !param.IsPointer && !param.IsArray && !param.IsNested)
            {
                Fail("has a parameter of type 'void'");
            }
        }
        while (_fault is null && Now.Text == "," && ++_at > 0);

        Expect(")");
    }

    private bool Expect(string sign)
    {
        if (_fault is null && Now.Text == sign)
        {
            _at++;
            return true;
        }

        return _isGivenUp || Fail($"has {Now.Shown} where '{sign}' belongs");
    }

    private bool Fail(string what)
    {
        _fault ??= _isGivenUp ? null : $"{what}, at column {Now.At + 1}";
        return false;
    }

    private struct Declared
    {
        internal string Name;
        internal bool IsPointer;
        internal bool IsArray;
        internal bool IsNested;
        internal bool IsFunction;
        internal bool IsVariadic;
        internal bool TakesPointer;
        internal int Params;
    }
}
