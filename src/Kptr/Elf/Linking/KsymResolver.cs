using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf.CoRe;
using Kptr.Specs;

namespace Kptr.Elf.Linking;

/// <summary>
/// Finds kernel functions and variables by name and compares their types with what the object believes.
/// </summary>
internal sealed class KsymResolver(BtfSpec? local, KernelSpec kernel)
{
    /// <summary>
    /// Address given to typeless symbols the kernel is believed to have: no list of a kernel's symbols is at hand, and
    /// programs can only compare or print it.
    /// </summary>
    private const ulong AddressBase = 0xffff_ffff_8100_0000;

    /// <summary>
    /// The symbol's place in the kernel's types; null where it is missing, and no fault where that is allowed.
    /// </summary>
    public BtfRef? Find(ProgReloc reloc, out Diagnostic? fault)
    {
        fault = null;
        var isFunc = local![reloc.LocalTypeId].Kind == BtfKind.FuncProto;
        var name = isFunc ? BtfQueries.EssentialName(reloc.Name).ToString() : reloc.Name;
        if (kernel.Types.Find(name, isFunc ? BtfKind.Func : BtfKind.Var) is not { } place)
        {
            fault = reloc.IsWeak ? null : new(
                DiagCode.KsymNotFound,
                isFunc ? $"extern (func ksym) '{reloc.Name}': not found in kernel or module BTFs"
                    : $"extern (var ksym) '{reloc.Name}': not found in kernel BTF")
            {
                InsnIdx = reloc.InsnIdx,
            };
            return null;
        }

        var target = kernel.Types[place].Ref;
        if (CoReTypes.AreCompatible(local[reloc.LocalTypeId], isFunc ? target : target.SkipModifiers()) == true)
        {
            return place;
        }

        // A weak function of another type counts as missing; a variable of another type never does.
        fault = reloc.IsWeak && isFunc ? null : new(
            DiagCode.KsymIncompatible,
            isFunc
                ? $"extern (func ksym) '{reloc.Name}': func_proto [{reloc.LocalTypeId}] incompatible with "
                    + $"{BtfName(place)} [{target.Id}]"
                : $"extern (var ksym) '{reloc.Name}': incompatible types")
        {
            InsnIdx = reloc.InsnIdx,
        };
        return null;
    }

    /// <summary>
    /// What keeps libbpf from loading any program of an object: a symbol that one of them wants and the kernel has not.
    /// </summary>
    public Diagnostic? FaultOf(ExternSpec symbol)
    {
        if (symbol.Kind is not (ExternKind.KsymFunc or ExternKind.KsymVar))
        {
            return null;
        }

        Find(new(0, ProgRelocKind.TypedKsym, symbol.Name, 0, symbol.IsWeak, symbol.LocalTypeId), out var fault);
        return fault is null ? null : fault with { InsnIdx = null };
    }

    /// <summary>Whether the kernel may have a weak symbol without type or not: its types do not know it.</summary>
    public bool MayBeMissing(ProgReloc reloc) => reloc.IsWeak
        && kernel.Types.Find(reloc.Name, BtfKind.Func) is null && kernel.Types.Find(reloc.Name, BtfKind.Var) is null;

    /// <summary>The address of a symbol without type; 0 for a weak one that the kernel's types do not know.</summary>
    public ulong AddressOf(ProgReloc reloc)
    {
        if (!MayBeMissing(reloc))
        {
            var hash = 17u;
            foreach (var c in reloc.Name)
            {
                hash = (hash * 31) + c;
            }

            // Names that end in another digit have another address: programs compare them.
            return AddressBase + ((hash << 4) & 0xff_fff0);
        }

        return 0;
    }

    private string BtfName(BtfRef place) => kernel.Types.All[place.BtfIdx].Name;
}
