using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Writes linked programs for <c>cells/linked.h</c>: a BTF and maps that all of them share, then the programs. Little
/// endian; names are in 16 bytes.
/// </summary>
internal static class LinkedFile
{
    private const int NameBytes = 16;

    /// <param name="to">Gets the file.</param>
    /// <param name="types">The BTF of the programs.</param>
    /// <param name="maps">The maps that they use some of.</param>
    /// <param name="progs">Their numbers, and what linking made of them; asked for once, one after the other.</param>
    /// <returns>How many programs there were.</returns>
    internal static int Write(
        Stream to, BtfSpec types, ImmutableArray<MapSpec> maps, IEnumerable<(int Number, ProgSpec Prog)> progs)
    {
        using var file = new BinaryWriter(to);
        var btf = Loadable(types);
        file.Write(btf.Length);
        file.Write(btf);
        file.Write(maps.Length);
        foreach (var map in maps)
        {
            Write(file, map, map.InnerMap is { } inner ? maps.IndexOf(inner) + 1 : 0);
        }

        file.Flush();
        var (countAt, count) = (to.Position, 0);
        file.Write(count);
        foreach (var (number, prog) in progs)
        {
            Write(file, number, prog, maps);
            count++;
        }

        file.Flush();
        to.Position = countAt;
        file.Write(count);
        return count;
    }

    private static void Write(BinaryWriter file, MapSpec map, int inner)
    {
        file.Write((int)map.Type);
        file.Write(map.KeySize);
        file.Write(map.ValueSize);
        file.Write(map.MaxEntries);
        file.Write((uint)map.Flags);
        file.Write(map.ValueTypeId == 0 ? 0 : map.KeyTypeId);
        file.Write(map.ValueTypeId);
        file.Write(inner);
        file.Write(Name(map.Name));
    }

    private static void Write(BinaryWriter file, int number, ProgSpec prog, ImmutableArray<MapSpec> maps)
    {
        file.Write(number);
        file.Write((int)prog.Type);
        file.Write((int)(prog.ExpectedAttachType ?? 0));
        file.Write(prog.AttachBtf?.TypeId ?? 0);
        file.Write(prog.LoadFlags | (prog.IsSleepable ? 1u << 4 : 0));
        file.Write(prog.FuncInfos.Length);
        foreach (var func in prog.FuncInfos)
        {
            file.Write(func.InsnIdx);
            file.Write(func.TypeId);
        }

        // The program's own maps are some of the object's; the file has all of them, by the object's index.
        file.Write(prog.Maps.Length);
        foreach (var map in prog.Maps)
        {
            file.Write(maps.IndexOf(maps.First(m => m.Name == map.Name)));
        }

        file.Write(prog.Insns.Length);
        file.Write(MemoryMarshal.AsBytes(prog.Insns.AsSpan()));
    }

    private static byte[] Name(string name)
    {
        var bytes = new byte[NameBytes];
        Encoding.ASCII.GetBytes(name.AsSpan(0, Math.Min(name.Length, NameBytes - 1)), bytes);
        return bytes;
    }

    /// <summary>
    /// The BTF as a kernel takes it: variables, sections and foreign functions, which libbpf would fill in or leave
    /// out, are pointers to nothing, so that all other types keep their ids.
    /// </summary>
    private static byte[] Loadable(BtfSpec btf)
    {
        var words = MemoryMarshal.Cast<byte, uint>(btf.ToBytes()).ToArray();
        var types = new List<uint>();
        for (int id = 1, at = BtfHeaderWords; id < btf.TypeCount; id++)
        {
            var next = at + 3 + BtfTrailer.WordsOf(btf[id]);
            var isFilled = btf[id].Kind is BtfKind.Var or BtfKind.DataSec
                || (btf[id].Kind == BtfKind.Func && btf[id].Linkage == ExternLinkage);
            types.AddRange(isFilled ? [0, (uint)BtfKind.Ptr << 24, 0] : words[at..next]);
            at = next;
        }

        var bytes = new byte[(4 * (BtfHeaderWords + types.Count)) + (int)words[5]];
        MemoryMarshal.AsBytes(words.AsSpan(0, BtfHeaderWords)).CopyTo(bytes);
        MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(types)).CopyTo(bytes.AsSpan(4 * BtfHeaderWords));
        btf.ToBytes().AsSpan(^(int)words[5]..).CopyTo(bytes.AsSpan(^(int)words[5]..));
        MemoryMarshal.Write(bytes.AsSpan(12), types.Count * 4);
        MemoryMarshal.Write(bytes.AsSpan(16), types.Count * 4);
        return bytes;
    }

    private const int BtfHeaderWords = 6;
    private const int ExternLinkage = 2;
}
