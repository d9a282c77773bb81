using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Execution;

/// <summary>
/// Finds the function that a program names with <c>__exception_cb</c>, which is called after <c>bpf_throw</c>.
/// </summary>
internal static class ExceptionCallback
{
    private const string Tag = "exception_callback:";

    /// <summary>The first slot of the callback, or -1 where the program names none.</summary>
    internal static int SlotIn(ProgSpec prog)
    {
        if (prog.Btf is not { } btf || prog.FuncInfos.IsEmpty)
        {
            return -1;
        }

        var main = prog.FuncInfos[0].TypeId;
        for (var id = btf.StartId; id < btf.TypeCount; id++)
        {
            var type = btf[id];
            if (type.Kind == BtfKind.DeclTag && type.RefTypeId == main
                && type.Name.StartsWith(Tag, StringComparison.Ordinal))
            {
                return SlotOf(prog, btf, type.Name[Tag.Length..]);
            }
        }

        return -1;
    }

    private static int SlotOf(ProgSpec prog, BtfSpec btf, string name)
    {
        foreach (var func in prog.FuncInfos)
        {
            if (btf[func.TypeId].Name == name)
            {
                return func.InsnIdx;
            }
        }

        return -1;
    }
}
