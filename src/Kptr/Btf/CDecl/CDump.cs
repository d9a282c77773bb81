using System.Text;

namespace Kptr.Btf.CDecl;

/// <summary>Prints whole declarations, each once and after what it needs.</summary>
internal sealed class CDump(BtfSpec btf)
{
    private const int DepthMax = 128;
    private readonly CWriter _writer = new(btf);
    private readonly StringBuilder _out = new();
    private readonly HashSet<int> _started = [];
    private readonly HashSet<int> _ended = [];
    private readonly HashSet<(int Id, bool Complete)> _visited = [];
    private readonly HashSet<int> _named = [];
    private readonly HashSet<string> _forwards = [];
    private readonly Dictionary<string, int> _tagNames = [];
    private readonly Dictionary<string, int> _plainNames = [];
    private readonly Lazy<Dictionary<int, string>> _sections = new(() => SectionsOf(btf));

    internal string Finish() => _out.ToString();

    internal void AddRoot(int id)
    {
        switch (btf.KindOf(id))
        {
            case BtfKind.Func:
                Need(btf.RefTypeOf(id), false, 0);
                PrintFunc(id);
                break;
            case BtfKind.Var:
                Need(btf.RefTypeOf(id), true, 0);
                PrintVar(id);
                break;
            case BtfKind.Struct or BtfKind.Union or BtfKind.Fwd or BtfKind.Enum or BtfKind.Enum64 or BtfKind.Typedef
                when !btf.IsAnonymous(id):
                Need(id, true, 0);
                break;
            case BtfKind.Enum or BtfKind.Enum64:
                // An enum without a name that nothing else spells out still has values somebody may use.
                _out.Append(_started.Add(id) ? _writer.Body(id, 0) + ";\n\n" : "");
                break;
        }
    }

    /// <summary>Prints what must stand before a use of this type.</summary>
    private void Need(int id, bool complete, int depth)
    {
        if (depth > DepthMax || !_visited.Add((id, complete)))
        {
            return;
        }

        switch (btf.KindOf(id))
        {
            case BtfKind.Ptr:
                Need(btf.RefTypeOf(id), false, depth + 1);
                break;
            case BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict or BtfKind.TypeTag:
                Need(btf.RefTypeOf(id), complete, depth + 1);
                break;
            case BtfKind.Array:
                Need(btf.ArrayOf(id).ElemTypeId, true, depth + 1);
                break;
            case BtfKind.FuncProto:
                NeedProto(id, depth);
                break;
            case BtfKind.Typedef:
                Need(btf.RefTypeOf(id), complete, depth + 1);
                PrintOnce(id, _plainNames, () => $"typedef {_writer.Declare(btf.RefTypeOf(id), _writer.NameOf(id), 0)}"
                    + _writer.DeclTags(id, -1));
                break;
            case BtfKind.Enum or BtfKind.Enum64 when !btf.IsAnonymous(id):
                PrintOnce(id, _tagNames, () => btf.VLenOf(id) > 0 ? _writer.Body(id, 0) : $"enum {_writer.NameOf(id)}");
                break;
            case BtfKind.Enum or BtfKind.Enum64:
                _started.Add(id);
                break;
            case BtfKind.Fwd:
                PrintForward(id);
                break;
            case BtfKind.Struct or BtfKind.Union:
                NeedComposite(id, complete, depth);
                break;
        }
    }

    private void NeedProto(int id, int depth)
    {
        Need(btf.RefTypeOf(id), false, depth + 1);
        for (int i = 0, n = btf.VLenOf(id); i < n; i++)
        {
            Need(btf.ParamTypeOf(id, i), false, depth + 1);
        }
    }

    private void NeedComposite(int id, bool complete, int depth)
    {
        if (btf.IsAnonymous(id))
        {
            NeedMembers(id, depth);
        }
        else if (!complete || (_started.Contains(id) && !_ended.Contains(id)))
        {
            PrintForward(id);
        }
        else if (_started.Add(id))
        {
            Name(id, _tagNames);
            NeedMembers(id, depth);
            _out.Append(_writer.Body(id, 0)).Append(";\n\n");
            _ended.Add(id);
        }
    }

    private void NeedMembers(int id, int depth)
    {
        for (int i = 0, n = btf.VLenOf(id); i < n; i++)
        {
            Need(btf.MemberTypeOf(id, i), true, depth + 1);
        }
    }

    private void PrintForward(int id)
    {
        if (!_ended.Contains(id))
        {
            Name(id, _tagNames);
            var text = $"{_writer.KindWord(id)} {_writer.NameOf(id)}";
            _out.Append(_forwards.Add(text) ? text + ";\n\n" : "");
        }
    }

    private void PrintOnce(int id, Dictionary<string, int> names, Func<string> text)
    {
        if (_started.Add(id))
        {
            Name(id, names);
            _out.Append(text()).Append(";\n\n");
        }
    }

    private void PrintFunc(int id)
    {
        if (!_started.Add(id))
        {
            return;
        }

        Name(id, _plainNames);
        var proto = btf.RefTypeOf(id);
        var storage = btf.LinkageOf(id) switch { 0 => "static ", 2 => "extern ", _ => "" };
        var tags = _writer.DeclTags(id, -1, except: "bpf_kfunc");
        var kfunc = _writer.DeclTags(id, -1).Length > tags.Length ? "__bpf_kfunc " : "";
        var decl = $"{_writer.NameOf(id)}({_writer.Params(proto, 0, id)})";
        _out.Append(kfunc).Append(storage).Append(_writer.Declare(btf.RefTypeOf(proto), decl, 0)).Append(tags)
            .Append(";\n\n");
    }

    private void PrintVar(int id)
    {
        if (!_started.Add(id))
        {
            return;
        }

        Name(id, _plainNames);
        var storage = btf.LinkageOf(id) switch { 0 => "static ", 2 => "extern ", _ => "" };
        var section = _sections.Value.TryGetValue(id, out var name) ? $" SEC(\"{name}\")" : "";
        _out.Append(storage).Append(_writer.Declare(btf.RefTypeOf(id), _writer.NameOf(id), 0))
            .Append(section).Append(_writer.DeclTags(id, -1)).Append(";\n\n");
    }

    /// <summary>
    /// Gives the second type of a name another name. A forward declaration shares the name of what it announces.
    /// </summary>
    private void Name(int id, Dictionary<string, int> names)
    {
        var name = Identifier(btf.NameOf(id));
        if (btf.KindOf(id) == BtfKind.Fwd || !_named.Add(id))
        {
            return;
        }

        var count = names.GetValueOrDefault(name) + 1;
        names[name] = count;
        if (count > 1 || name != btf.NameOf(id))
        {
            _writer.Rename(id, count > 1 ? $"{name}___{count}" : name);
        }
    }

    /// <summary>Compilers name a static variable of a function <c>function.variable</c>, which C cannot say.</summary>
    private static string Identifier(string name) => name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
        ? name
        : string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));

    private static Dictionary<int, string> SectionsOf(BtfSpec btf)
    {
        var sections = new Dictionary<int, string>();
        for (var id = btf.StartId; id < btf.TypeCount; id++)
        {
            for (int i = 0, n = btf.KindOf(id) == BtfKind.DataSec ? btf.VLenOf(id) : 0; i < n; i++)
            {
                sections[btf.VarOf(id, i).TypeId] = btf.NameOf(id);
            }
        }

        return sections;
    }
}
