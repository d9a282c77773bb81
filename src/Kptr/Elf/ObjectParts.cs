using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>Everything of one object that building its programs needs.</summary>
internal sealed class ObjectParts(
    string file, string license, ElfProgTable progs, ExternTable externs, ExtInfo ext, BtfSpec? btf)
{
    private const string ExceptionTag = "exception_callback:";
    private readonly Dictionary<int, string> _strings = [];
    private readonly Dictionary<string, ExternSpec> _externs = externs.All
        .DistinctBy(e => e.Name)
        .ToDictionary(e => e.Name);
    private readonly ILookup<string, string> _exceptionCallbacks = FindExceptionCallbacks(btf);

    public string File { get; } = file;

    public string License { get; } = license;

    public ElfProgTable Progs { get; } = progs;

    public ExtInfo Ext { get; } = ext;

    public BtfSpec? Btf { get; } = btf;

    public ExternSpec Extern(string name) => _externs[name];

    /// <summary>What <c>exception_callback:</c> tags of this function name.</summary>
    public ImmutableArray<string> ExceptionCallbacksOf(string func) => [.. _exceptionCallbacks[func]];

    /// <summary>A string of the BTF's table; each is made once.</summary>
    public string String(int offset)
    {
        if (!_strings.TryGetValue(offset, out var text))
        {
            _strings[offset] = text = Btf!.StringAt(offset);
        }

        return text;
    }

    /// <summary>How many records of <c>.BTF.ext</c> are about a function.</summary>
    public int CountInfos(ElfProg prog) =>
        Ext.FuncsOf(prog).Length + Ext.LinesOf(prog).Length + Ext.CoReOf(prog).Length;

    private static ILookup<string, string> FindExceptionCallbacks(BtfSpec? btf)
    {
        var found = new List<(string Func, string Callback)>();
        for (var id = 1; btf is not null && id < btf.TypeCount; id++)
        {
            if (btf[id] is { Kind: BtfKind.DeclTag, ComponentIdx: -1 } tag
                && tag.Name.StartsWith(ExceptionTag, StringComparison.Ordinal) && tag.Ref.Kind == BtfKind.Func)
            {
                found.Add((tag.Ref.Name, tag.Name[ExceptionTag.Length..]));
            }
        }

        return found.ToLookup(f => f.Func, f => f.Callback);
    }
}

/// <summary>
/// How many instructions, with their relocations and lines, all programs of an object may take together: a small file
/// can ask for a great many copies. Of 792 objects of Linux's own tests none needs more than an eighth of its bytes.
/// </summary>
internal sealed class InsnBudget(long fileBytes)
{
    private long _left = (1024 * 1024) + (4 * fileBytes);

    public bool TryTake(long items)
    {
        if (items > _left)
        {
            return false;
        }

        _left -= items;
        return true;
    }
}
