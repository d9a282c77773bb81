using System.Globalization;
using System.Text;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>Prints frames as the kernel's log does (<c>print_verifier_state</c>).</summary>
internal static class StatePrinter
{
    private const string KindChars = "?rm0difp";

    /// <summary>Appends the registers and slots named by the masks.</summary>
    public static void Append(StringBuilder text, VerifierRun run, FuncState frame, uint regs, ulong slots)
    {
        var words = run.Kernel.Profile;
        if (frame.Frameno != 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" frame{frame.Frameno}:");
        }

        for (var i = 0; i < 11; i++)
        {
            if ((regs & (1u << i)) != 0 && frame.Regs[i].Type != RegType.NotInit)
            {
                text.Append(CultureInfo.InvariantCulture, $" R{i}{RegMarks(words, frame.Live, i)}=");
                AppendReg(text, words, frame, frame.Regs[i]);
            }
        }

        for (var i = 0; i < frame.SlotCount; i++)
        {
            if ((slots & (1ul << i)) != 0 && !frame.Stack[i].IsEmpty)
            {
                AppendSlot(text, words, frame, i);
            }
        }

        for (var i = 0; i < frame.RefCount; i++)
        {
            text.Append(i == 0 ? " refs=" : ",").Append(frame.Refs[i].Id);
        }

        text.Append(frame.InCallback ? " cb" : "").Append(frame.InAsyncCallback ? " async_cb" : "");
    }

    private static string RegMarks(KernelProfile words, in LiveMarks live, int regno) => Marks(words,
        live.HasReadReg(regno), ((live.WrittenRegs >> regno) & 1) != 0, live.IsDone && regno < 10);

    private static string SlotMarks(KernelProfile words, in LiveMarks live, int slot) => Marks(words,
        live.HasReadSlot(slot), ((live.WrittenSlots >> slot) & 1) != 0, live.IsDone);

    private static string Marks(KernelProfile words, bool read, bool written, bool done) =>
        !words.LogsLiveness || !(read || written || done) ? ""
        : $"_{(read ? "r" : "")}{(written ? "w" : "")}{(done ? "D" : "")}";

    private static void AppendSlot(StringBuilder text, KernelProfile words, FuncState frame, int i)
    {
        ref readonly var slot = ref frame.Stack[i];
        ref readonly var reg = ref slot.Spilled;
        var kinds = new char[8];
        for (var j = 0; j < 8; j++)
        {
            kinds[j] = KindChars[(int)slot[j]];
        }

        var name = $" fp{-8 * (i + 1)}{SlotMarks(words, frame.Live, i)}=";
        switch (slot[7])
        {
            case SlotKind.Spill:
                text.Append(name).Append(new string(kinds)[..Array.IndexOf(kinds, 'r')]);
                AppendReg(text, words, frame, reg);
                break;
            case SlotKind.Dynptr:
                if (reg.DynptrFirstSlot)
                {
                    text.Append(name).Append(
                        CultureInfo.InvariantCulture, $"dynptr_{DynptrName(reg.DynptrKind)}(id={reg.Id}");
                    var parent = words.HasRefIds ? "ref_id" : "parent_id";
                    text.Append(reg.RefObjId != 0 ? $",{parent}={reg.RefObjId})" : ")");
                }

                break;
            case SlotKind.Iter:
                if (reg.RefObjId != 0)
                {
                    var iter = reg.Btf?[reg.BtfId].Name ?? "<invalid>";
                    var id = words.HasRefIds ? "ref_id" : "id";
                    text.Append(name).Append(CultureInfo.InvariantCulture,
                        $"iter_{iter.Replace("bpf_iter_", "", StringComparison.Ordinal)}({id}={reg.RefObjId}"
                        + $",state={IterStateName(reg.IterState)},depth={reg.IterDepth})");
                }

                break;
            default:
                text.Append(name).Append(kinds);
                break;
        }
    }

    public static string DynptrName(DynptrKind kind) => kind switch
    {
        DynptrKind.Local => "local",
        DynptrKind.Ringbuf => "ringbuf",
        DynptrKind.Skb => "skb",
        DynptrKind.Xdp => "xdp",
        DynptrKind.SkbMeta => "skb_meta",
        _ => "<invalid>",
    };

    public static string IterStateName(IterState state) => state switch
    {
        IterState.Active => "active",
        IterState.Drained => "drained",
        _ => "<invalid>",
    };

    private static void AppendReg(StringBuilder text, KernelProfile words, FuncState frame, in RegState reg)
    {
        if (reg.Type == RegType.Scalar)
        {
            text.Append(reg.Precise ? "P" : "");
            if (reg.Var.IsConst)
            {
                text.Append(Signed((long)reg.Var.ConstValue));
                return;
            }
        }

        text.Append(VerifierRun.RegTypeName(reg.Type));
        if (reg.Type == RegType.PtrToArena)
        {
            return;
        }

        if (reg.Type == RegType.PtrToStack)
        {
            text.Append(frame.Frameno != reg.Frameno ? $"[{reg.Frameno}]" : "");
            if (reg.Var.IsConst)
            {
                text.Append(Signed((long)reg.Var.ConstValue + reg.Off));
                return;
            }
        }

        if (reg.Type.Base() == RegType.PtrToBtfId)
        {
            text.Append(reg.Btf![reg.BtfId].Name);
        }

        text.Append('(').AppendJoin(',', Attributes(words, words.FoldsOffsets ? Folded(reg) : reg)).Append(')');
    }

    private static List<string> Attributes(KernelProfile words, RegState reg)
    {
        var parts = new List<string>();
        void Add(bool when, FormattableString part)
        {
            if (when)
            {
                parts.Add(part.ToString(CultureInfo.InvariantCulture));
            }
        }

        var linked = (reg.Id & RegState.AddConst) != 0 ? reg.Off.ToString("+0;-0", CultureInfo.InvariantCulture) : "";
        Add(reg.Id != 0, $"id={reg.Id & ~RegState.AddConst}{linked}");
        Add(reg.RefObjId != 0 && words.HasRefIds, $"ref_obj_id={reg.RefObjId}");
        Add(reg.Type.IsNonOwningRef(), $"non_own_ref");
        if (reg.Type.Base() is RegType.ConstPtrToMap or RegType.PtrToMapKey or RegType.PtrToMapValue
            && reg.Map is { } map)
        {
            Add(map.Name.Length > 0, $"map={map.Name}");
            Add(true, $"ks={map.KeySize},vs={map.ValueSize}");
        }

        Add(reg.Type != RegType.Scalar && reg.Off != 0, $"off={Signed(reg.Off)}");
        Add(reg.Type.IsPacket(), $"r={Unsigned((ulong)(uint)reg.PktRange)}");
        Add(reg.Type.Base() == RegType.PtrToMem, $"sz={Unsigned((uint)reg.MemSize)}");
        Add(reg.Type == RegType.ConstPtrToDynptr, $"type={DynptrName(reg.DynptrKind)}");
        if (reg.Var.IsConst)
        {
            Add(reg.Var.ConstValue != 0, $"imm={Signed((long)reg.Var.ConstValue)}");
        }
        else
        {
            AddRanges(parts, reg);
            Add(reg.Var.Bits != Scalars.Tnum.Unknown, $"var_off={VerifierRun.Tn(reg)}");
        }

        return parts;
    }

    // A pointer with its known offset in the variable one, and a packet's range counted from there.
    private static RegState Folded(RegState reg)
    {
        if (reg.Type == RegType.Scalar)
        {
            return reg;
        }

        if (reg.Type.IsPacket() && reg.PktRange > 0)
        {
            reg.PktRange += (int)Math.Min(reg.Var.UMax, Limits.MaxPacketOff);
        }

        Scalars.ScalarSums.Add(ref reg.Var, Scalars.ScalarRange.Const((ulong)(long)reg.Off));
        reg.Off = 0;
        return reg;
    }

    /// <summary>Bounds that differ from the widest; equal ones share their number: <c>smax=umax=7</c>.</summary>
    private static void AddRanges(List<string> parts, in RegState reg)
    {
        ref readonly var v = ref reg.Var;
        (string Name, ulong Value, bool Signed, bool Omit)[] bounds =
        [
            ("smin", (ulong)v.SMin, true, v.SMin == long.MinValue),
            ("smax", (ulong)v.SMax, true, v.SMax == long.MaxValue),
            ("umin", v.UMin, false, v.UMin == 0),
            ("umax", v.UMax, false, v.UMax == ulong.MaxValue),
            ("smin32", v.S32Min >= short.MinValue && v.S32Min <= short.MaxValue ? (ulong)v.S32Min : (uint)v.S32Min,
                true, v.S32Min == int.MinValue),
            ("smax32", v.S32Max >= short.MinValue && v.S32Max <= short.MaxValue ? (ulong)v.S32Max : (uint)v.S32Max,
                true, v.S32Max == int.MaxValue),
            ("umin32", v.U32Min, false, v.U32Min == 0),
            ("umax32", v.U32Max, false, v.U32Max == uint.MaxValue),
        ];
        for (var i = 0; i < bounds.Length; i++)
        {
            if (bounds[i].Omit)
            {
                continue;
            }

            var names = bounds[i].Name + "=";
            var negative = bounds[i].Signed && (long)bounds[i].Value < 0;
            for (var j = i + 2; j < bounds.Length; j += 2)
            {
                if (!bounds[j].Omit && bounds[j].Value == bounds[i].Value
                    && (bounds[j].Signed && (long)bounds[j].Value < 0) == negative)
                {
                    bounds[j].Omit = true;
                    names += bounds[j].Name + "=";
                }
            }

            parts.Add(names + (bounds[i].Signed ? Signed((long)bounds[i].Value) : Unsigned(bounds[i].Value)));
        }
    }

    private static string Signed(long value) => value is >= short.MinValue and <= short.MaxValue
        ? value.ToString(CultureInfo.InvariantCulture) : VerifierRun.Hex((ulong)value);

    private static string Unsigned(ulong value) => value <= ushort.MaxValue
        ? value.ToString(CultureInfo.InvariantCulture) : VerifierRun.Hex(value);
}
