using Kptr.Btf;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.Soundness;

/// <summary>What generated programs stand on: the maps, types and function prototypes of an object.</summary>
internal sealed class ProgBase
{
    private ProgBase(string file)
    {
        using var stream = typeof(ProgBase).Assembly.GetManifestResourceStream(file)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        Object = ObjectReader.Read(bytes, file);
    }

    /// <summary><c>programs/maps.bpf.c</c>.</summary>
    internal static ProgBase Maps { get; } = new("maps.bpf.o");

    /// <summary><c>programs/ownership.bpf.c</c>: the same and more kinds of owners.</summary>
    internal static ProgBase Ownership { get; } = new("ownership.bpf.o");

    /// <summary><c>programs/lives.bpf.c</c>: a program for each map (<see cref="Lives.LifePlayer"/>).</summary>
    internal static ProgBase Living { get; } = new("lives.bpf.o");

    internal ObjectSpec Object { get; }

    internal BtfSpec Btf => Object.Btf!;

    /// <summary>BTF id of a struct that programs allocate.</summary>
    internal int StructId(string name) => Btf.FindId(name, BtfKind.Struct);
}
