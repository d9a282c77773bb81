using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>What 64-bit immediates stand for: maps and their values, kernel variables.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Finds what every 64-bit immediate names, and checks opcodes (<c>resolve_pseudo_ldimm64</c>).</summary>
    private void ResolveLdImm64()
    {
        for (var i = 0; i < Insns.Length; i++)
        {
            ref readonly var insn = ref Insns[i];
            InsnIdx = i;
            if (insn.Class == InsnClass.Ldx
                && ((insn.Opcode & BpfOp.ModeMask) is not (BpfOp.Mem or BpfOp.Memsx) || insn.Imm != 0))
            {
                RejectReserved("BPF_LDX");
            }

            if (insn.Opcode != BpfOp.LdImm64)
            {
                CheckOpcodeKnown(insn);
                CheckFields(insn);
                continue;
            }

            CheckFields(insn);
            ResolveOne(i, insn);
            i++;
        }

        InsnIdx = 0;
    }

    // Kernel: check_insn_fields (kernel/bpf/verifier.c, 7.2).
    private void CheckFields(in BpfInsn insn)
    {
        if (!Kernel.Profile.ChecksFieldsAhead)
        {
            return;
        }

        var regno = insn.Dst > (int)BpfReg.R10 ? insn.Dst : insn.Src;
        if (regno > (int)BpfReg.R10)
        {
            Reject(DiagCode.InsnReservedField, $"R{regno} is invalid");
        }

        if (InsnCheck.IsAddrSpaceCast(insn) && insn.Imm is not (1 or 1 << 16))
        {
            Reject(DiagCode.InsnReservedField, "addr_space_cast insn can only convert between address space 1 and 0");
        }

        if (InsnCheck.IsMayGotoOfAnyKind(insn) && insn is not { Dst: 0, Src: 0, Imm: 0 })
        {
            Reject(DiagCode.InsnReservedField, $"invalid may_goto imm {insn.Imm}");
        }

        if (InsnCheck.ReservedIn(insn) is { } what)
        {
            RejectReserved(what);
        }
    }

    private void ResolveOne(int i, in BpfInsn insn)
    {
        var second = i + 1 < Insns.Length ? Insns[i + 1] : new BpfInsn(0xff, 0, 0, 0, 0);
        if (second.Opcode != 0 || second.Regs != 0 || second.Off != 0)
        {
            Reject(DiagCode.InsnReservedField, "invalid bpf_ld_imm64 insn");
        }

        switch (insn.Src)
        {
            case 0:
                return;
            case BpfOp.PseudoBtfId:
                ResolveKernelVar(i, insn.Imm, second.Imm);
                return;
            case BpfOp.PseudoFunc:
                Aux[i].PtrType = RegType.PtrToFunc;
                return;
            case BpfOp.PseudoMapFd when second.Imm == 0:
            case BpfOp.PseudoMapValue:
                ResolveMap(i, insn, second.Imm);
                return;
            default:
                Reject(DiagCode.InsnReservedField, "unrecognized bpf_ld_imm64 insn");
                return;
        }
    }

    private readonly List<MapSpec> _usedMaps = [];

    /// <summary>Whether the program uses an arena.</summary>
    private bool HasArena => _usedMaps.Exists(m => m.Type == BpfMapType.Arena);

    private void ResolveMap(int i, in BpfInsn insn, int off)
    {
        if ((uint)insn.Imm >= (uint)Prog.Maps.Length)
        {
            var fd = insn.Imm < 0 ? ~insn.Imm : insn.Imm;
            Reject(DiagCode.MapIncompatible, $"fd {fd} is not pointing to valid bpf_map", errno: Errno.EBADF);
        }

        var map = Prog.Maps[insn.Imm];
        var reused = _usedMaps.Exists(m => ReferenceEquals(m, map));
        if (!reused)
        {
            if (_usedMaps.Count >= Limits.MaxUsedMaps)
            {
                Reject(DiagCode.MapIncompatible,
                    $"The total number of maps per program has reached the limit of {Limits.MaxUsedMaps}",
                    errno: Errno.E2BIG);
            }

            _usedMaps.Add(map);
        }

        Aux[i].Map = map;
        CheckUnprivilegedMap(map);
        for (var each = map; each is not null && !reused; each = each.InnerMap)
        {
            CheckMapType(map, each);
        }

        CheckMapFitsProg(map);
        if (insn.Src == BpfOp.PseudoMapValue)
        {
            CheckDirectValue(map, off);
            Aux[i].MapOff = off;
        }

        if (!reused)
        {
            CheckOnlyOne(map);
        }
    }

    private void CheckDirectValue(MapSpec map, int off)
    {
        if ((uint)off >= Limits.MaxVarOff)
        {
            Reject(DiagCode.MapIncompatible, $"direct value offset of {(uint)off} is not allowed");
        }

        if (!HasDirectValue(map))
        {
            Reject(DiagCode.MapIncompatible, "no direct value access support for this map type");
        }

        var size = map.Type == BpfMapType.Arena ? map.MaxEntries * 4096L : map.ValueSize;
        if (map.Type == BpfMapType.Array && map.MaxEntries != 1)
        {
            Reject(DiagCode.MapIncompatible,
                $"invalid access to map value pointer, value_size={map.ValueSize} off={off}", errno: Errno.ENOTSUPP);
        }

        if (off >= size)
        {
            Reject(DiagCode.MapIncompatible,
                $"invalid access to map value pointer, value_size={map.ValueSize} off={off}");
        }
    }

    private void CheckOnlyOne(MapSpec map)
    {
        if (map.Type is BpfMapType.CgroupStorage or BpfMapType.PercpuCgroupStorage
            && _usedMaps.Count(m => m.Type == map.Type) > 1)
        {
            Reject(DiagCode.MapIncompatible, "only one cgroup storage of each type is allowed", errno: Errno.EBUSY);
        }

        if (map.Type == BpfMapType.Arena && _usedMaps.Count(m => m.Type == BpfMapType.Arena) > 1)
        {
            Reject(DiagCode.MapIncompatible, "Only one arena per program", errno: Errno.EBUSY);
        }
    }

    private static bool IsTracingProg(ProgType type) =>
        type is ProgType.Kprobe or ProgType.Tracepoint or ProgType.PerfEvent
            or ProgType.RawTracepoint or ProgType.RawTracepointWritable;

    /// <summary>
    /// No kernel has a map of a type that it does not know, and what a user's own type does not allow nobody may do;
    /// both hold of a map and of what lies in it.
    /// </summary>
    private void CheckMapType(MapSpec map, MapSpec each)
    {
        if (!Kernel.Profile.Knows(each.Type))
        {
            Reject(DiagCode.UnsupportedMapType,
                $"map '{map.Name}': the kernel has no map type {(uint)each.Type}, and nobody declared it");
        }

        if (each.OwnType is not { } own)
        {
            return;
        }

        if (!own.ProgTypes.IsEmpty && !own.ProgTypes.Contains(RunType))
        {
            Reject(DiagCode.MapIncompatible, $"{own} cannot be used by programs of type {RunType}");
        }

        if (Prog.IsSleepable && !own.AllowsSleepable)
        {
            Reject(DiagCode.MapIncompatible, $"{own} cannot be used by programs that can sleep");
        }
    }

    /// <summary>Kernel: <c>check_map_prog_compatibility</c>.</summary>
    private void CheckMapFitsProg(MapSpec map)
    {
        var tracing = IsTracingProg(RunType);
        if (tracing && map.Record.Has(BtfFieldKind.GraphRoot))
        {
            Reject(DiagCode.MapIncompatible, "tracing progs cannot use bpf_{list_head,rb_root} yet");
        }

        if (map.Record.Has(AnyLock) && (tracing || RunType == ProgType.SocketFilter))
        {
            Reject(DiagCode.MapIncompatible, (tracing ? "tracing" : "socket filter")
                + " progs cannot use bpf_spin_lock yet");
        }

        if (map.Record.Has(AnyLock) && Prog.IsSleepable && !Kernel.Profile.SleepersLock)
        {
            Reject(DiagCode.MapIncompatible, "sleepable progs cannot use bpf_spin_lock yet");
        }

        if (tracing && map.Record.Has(BtfFieldKind.Timer) && !Kernel.Profile.TracingHasTimers)
        {
            Reject(DiagCode.MapIncompatible, "tracing progs cannot use bpf_timer yet");
        }

        if (tracing && map.Record.Has(BtfFieldKind.Workqueue) && !Kernel.Profile.TracingHasTimers)
        {
            Reject(DiagCode.MapIncompatible, "tracing progs cannot use bpf_wq yet");
        }

        if (map.Type == BpfMapType.StructOps)
        {
            Reject(DiagCode.MapIncompatible, "bpf_struct_ops map cannot be used in prog");
        }

        if (Prog.IsSleepable && map.Type is not (BpfMapType.Hash or BpfMapType.LruHash or BpfMapType.Array
            or BpfMapType.PercpuHash or BpfMapType.PercpuArray or BpfMapType.LruPercpuHash or BpfMapType.ArrayOfMaps
            or BpfMapType.HashOfMaps or BpfMapType.Ringbuf or BpfMapType.UserRingbuf or BpfMapType.InodeStorage
            or BpfMapType.SkStorage or BpfMapType.TaskStorage or BpfMapType.CgrpStorage or BpfMapType.Arena)
            && !(Kernel.Profile.QueuesForSleepers && map.Type is BpfMapType.Queue or BpfMapType.Stack)
            && !(Kernel.Profile.MoreMapsForSleepers
                && map.Type is BpfMapType.LpmTrie or BpfMapType.Rhash or BpfMapType.ProgArray or BpfMapType.InsnArray))
        {
            Reject(DiagCode.MapIncompatible, Kernel.Profile.QueuesForSleepers
                ? "Sleepable programs can only use array, hash, ringbuf and local storage maps"
                : "Sleepable programs can only use array, hash, and ringbuf maps");
        }

        // User space fills it for one program and freezes it; nobody does that here.
        if (map.Type == BpfMapType.InsnArray && !map.Frozen)
        {
            Reject(DiagCode.MapIncompatible, "Failed to properly initialize insn array");
        }
    }

    private void CheckOpcodeKnown(in BpfInsn insn)
    {
        if (!OpcodeTable.IsKnown(insn.Opcode) || !OpcodeTable.Has(Kernel.Profile, insn.Opcode))
        {
            Reject(DiagCode.InsnUnknownOpcode, $"unknown opcode {insn.Opcode:x2}");
        }
    }

    private void ResolveKernelVar(int i, int id, int btfIdx)
    {
        if ((uint)btfIdx >= (uint)Types.All.Length)
        {
            Reject(DiagCode.AttachTargetInvalid, "invalid module BTF object FD specified.");
        }

        var btf = Types.All[btfIdx];
        if (id <= 0 || id >= btf.TypeCount)
        {
            Reject(DiagCode.AttachTargetInvalid, $"ldimm64 insn specifies invalid btf_id {id}.", errno: Errno.ENOENT);
        }

        var type = btf[id];
        ref var aux = ref Aux[i];
        if (type.Kind == BtfKind.Func && Kernel.Profile.TakesFuncAddresses)
        {
            aux.VarType = RegType.PtrToMem | RegType.MemRdOnly;
            aux.VarSizeBytes = 0;
            return;
        }

        if (type.Kind != BtfKind.Var)
        {
            var or = Kernel.Profile.TakesFuncAddresses ? " or KIND_FUNC" : ".";
            Reject(DiagCode.AttachTargetInvalid, $"pseudo btf_id {id} in ldimm64 isn't KIND_VAR{or}");
        }

        var isPercpu = IsPercpuVar(btf, id);
        var target = btf.SkipModifiers(type.RefTypeId);
        if (!isPercpu && !target.IsComposite)
        {
            var size = btf.ResolveSize(target.Id);
            if (size < 0)
            {
                Reject(DiagCode.AttachTargetInvalid,
                    $"ldimm64 unable to resolve the size of type '{target.Name}': -22");
            }

            aux.VarType = RegType.PtrToMem | RegType.MemRdOnly;
            aux.VarSizeBytes = size;
            return;
        }

        aux.VarType = RegType.PtrToBtfId | (isPercpu ? RegType.MemPercpu : 0);
        aux.VarBtf = btf;
        aux.VarBtfId = type.RefTypeId;
    }

    private static bool IsPercpuVar(BtfSpec btf, int id)
    {
        var section = btf.FindId(".data..percpu", BtfKind.DataSec);
        if (section == 0)
        {
            return false;
        }

        var type = btf[section];
        for (var v = 0; v < type.VLen; v++)
        {
            if (type.Var(v).TypeId == id)
            {
                return true;
            }
        }

        return false;
    }
}
