using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace Kptr.Isa;

/// <summary>What an unresolved name in assembled code stands for.</summary>
public enum AsmSymbolKind
{
    /// <summary>The target of a call that is neither a label nor a known helper: a kfunc.</summary>
    Call,

    /// <summary>The address of something, in a two-slot load: a map, a variable, a kernel symbol.</summary>
    Address,
}

/// <summary>A name that the assembler leaves for whoever links the program.</summary>
/// <param name="InsnIdx">The instruction's first slot.</param>
/// <param name="Kind">What the instruction does with it.</param>
/// <param name="Name">The name, verbatim.</param>
/// <param name="Addend">Byte offset written behind the name, 0 where there is none.</param>
public readonly record struct AsmSymbol(int InsnIdx, AsmSymbolKind Kind, string Name, int Addend);

/// <summary>
/// Assembled code, with labels resolved and other names listed. A collection expression of
/// <see cref="AsmItem"/>s makes one.
/// </summary>
/// <example>
/// <code>
/// AsmProgram p = [Mov(R0, 0), Label("top"), Add(R0, 1), Jlt(R0, 10, "top"), Exit()];
/// </code>
/// </example>
[CollectionBuilder(typeof(AsmProgram), nameof(Create))]
public sealed class AsmProgram
{
    internal AsmProgram(
        ImmutableArray<BpfInsn> insns, ImmutableArray<AsmSymbol> symbols, ImmutableDictionary<string, int> labels)
    {
        Insns = insns;
        Symbols = symbols;
        Labels = labels;
    }

    /// <summary>The slots.</summary>
    public ImmutableArray<BpfInsn> Insns { get; }

    /// <summary>Names still to be linked, by rising instruction index.</summary>
    public ImmutableArray<AsmSymbol> Symbols { get; }

    /// <summary>Instruction index of each label.</summary>
    public ImmutableDictionary<string, int> Labels { get; }

    /// <summary>Lays items out and resolves their labels.</summary>
    /// <exception cref="ArgumentException">A label is missing, there twice, or too far away for its jump.</exception>
    public static AsmProgram Create(ReadOnlySpan<AsmItem> items)
    {
        var layout = new AsmLayout();
        foreach (var item in items)
        {
            if (!layout.TryAdd(item))
            {
                throw new ArgumentException($"label {item.DefinedLabel} is there twice", nameof(items));
            }
        }

        return layout.TryFinish(out var program, out var fault, out _)
            ? program
            : throw new ArgumentException(fault, nameof(items));
    }

    /// <summary>How much of what.</summary>
    public override string ToString() =>
        $"{Insns.Length} instructions, {Symbols.Length} symbols, {Labels.Count} labels";

    /// <summary>The items of this program, one for each slot, so that it can be written into another.</summary>
    public IEnumerator<AsmItem> GetEnumerator()
    {
        foreach (var insn in Insns)
        {
            yield return insn;
        }
    }
}

/// <summary>
/// One element of a program written in C#: an instruction, possibly with a label to go to, or a label.
/// </summary>
public readonly struct AsmItem
{
    internal AsmItem(BpfInsn insn, string? target = null, int addend = 0)
    {
        Insn = insn;
        Target = target;
        Addend = addend;
    }

    internal AsmItem(string definedLabel) => DefinedLabel = definedLabel;

    internal BpfInsn Insn { get; }

    internal string? Target { get; }

    internal int Addend { get; }

    internal string? DefinedLabel { get; }

    /// <summary>An instruction without names is an item.</summary>
    public static implicit operator AsmItem(BpfInsn insn) => new(insn);

    /// <summary>The label, or the instruction.</summary>
    public override string ToString() =>
        DefinedLabel is not null ? $"{DefinedLabel}:" : Target is null ? Insn.ToString() : $"{Insn} to {Target}";

    /// <summary>The same as the conversion.</summary>
    public static AsmItem FromBpfInsn(BpfInsn insn) => new(insn);
}
