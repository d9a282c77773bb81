using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Cli.Run;

/// <summary>A row of a map: its key, and what its fields hold.</summary>
internal sealed record MapRow(string Key, IReadOnlyList<(string Field, string Text)> Fields);

/// <summary>What user space sees of a map, and what its kptrs pin, as text by BTF types.</summary>
internal sealed record MapTable(BpfMap Map, IReadOnlyList<MapRow> Rows, bool IsCut, int EmptyRows)
{
    /// <summary>Reads a map; null for those that show user space nothing to read by keys.</summary>
    /// <param name="map">The map.</param>
    /// <param name="pins">What maps hold.</param>
    /// <param name="rowsMax">How many rows at most.</param>
    public static MapTable? Of(BpfMap map, ILookup<string, LedgerEntry> pins, int rowsMax)
    {
        if (map.KeySize == 0 || map.Spec.Frozen)
        {
            return null;
        }

        var held = pins[map.Name].ToLookup(e => ((MapHolder)e.Holder).Key);
        var rows = new List<MapRow>();
        var (empty, isCut) = (0, false);
        var value = new byte[map.UserValueSize];
        byte[] key = [];
        var next = new byte[map.KeySize];

        // Elements that come and go while this walks may start it anew; it ends all the same.
        for (var left = (long)map.MaxEntries + 1; left > 0 && map.GetNextKey(key, next) == Errno.None; left--)
        {
            key = [.. next];
            if (map.LookupElem(key, value) != Errno.None)
            {
                continue;
            }

            var kptrs = held[MapHolder.TextOf(key)].ToList();
            if (kptrs.Count == 0 && IsArray(map) && !value.AsSpan().ContainsAnyExcept((byte)0))
            {
                empty++;
            }
            else if (rows.Count == rowsMax)
            {
                isCut = true;
                break;
            }
            else
            {
                rows.Add(new(KeyText(map, key), Fields(map, value, kptrs)));
            }
        }

        return new(map, rows, isCut, empty);
    }

    private static bool IsArray(BpfMap map) => map.Type is BpfMapType.Array or BpfMapType.PercpuArray;

    private static string KeyText(BpfMap map, ReadOnlySpan<byte> key) => map.Spec is { Btf: { } btf, KeyTypeId: > 0 }
        ? BtfValuePrinter.Print(btf[map.Spec.KeyTypeId], key) : MapHolder.TextOf(key);

    private static List<(string, string)> Fields(BpfMap map, ReadOnlySpan<byte> value, List<LedgerEntry> kptrs)
    {
        var fields = new List<(string, string)>();
        if (!map.IsPerCpu)
        {
            AddFields(fields, map, value, "");
        }
        else
        {
            var step = (map.ValueSize + 7) & ~7;
            for (var cpu = 0; (cpu + 1) * step <= value.Length; cpu++)
            {
                var part = value.Slice(cpu * step, map.ValueSize);
                if (part.ContainsAnyExcept((byte)0))
                {
                    AddFields(fields, map, part, $"cpu {map.Core.PossibleCpus[cpu]} ");
                }
            }
        }

        // User space sees no pointers; the ledger knows what is there.
        foreach (var kptr in kptrs)
        {
            var holder = (MapHolder)kptr.Holder;
            var name = (holder.Cpu < 0 ? "" : $"cpu {holder.Cpu} ") + holder.Field;
            fields.RemoveAll(f => f.Item1 == name);
            fields.Add((name, kptr.Object));
        }

        return fields;
    }

    private static void AddFields(List<(string, string)> fields, BpfMap map, ReadOnlySpan<byte> value, string prefix)
    {
        if (map.Spec is not { Btf: { } btf, ValueTypeId: > 0 })
        {
            fields.Add(($"{prefix}value", "0x" + Convert.ToHexStringLower(value)));
            return;
        }

        foreach (var field in BtfValuePrinter.Fields(btf[map.Spec.ValueTypeId], value))
        {
            if (map.Record.FindAt(field.OffsetBytes) is null)
            {
                fields.Add(($"{prefix}{(field.Name.Length == 0 ? "value" : field.Name)}", field.Text));
            }
        }
    }
}
