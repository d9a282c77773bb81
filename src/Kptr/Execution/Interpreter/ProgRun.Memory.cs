using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Execution;

// Accesses that the loop did not find in the stack or in the region last used.
internal sealed unsafe partial class ProgRun
{
    /// <summary>The slow way of a memory access; remembers the region, so that the next one is quick.</summary>
    private Op* AccessSlow()
    {
        var idx = _m->StopIdx;
        var insn = _code.Insns[idx];
        var address = _m->StopAddress;
        var isWrite = insn.Class != InsnClass.Ldx && !insn.IsLoadAcquire;
        var sizeBytes = (ulong)insn.AccessBytes;
        if (_code.IsArena(idx))
        {
            AccessArena(insn, address);
            return _code[idx + 1];
        }

        if (insn.IsAtomic && address % sizeBytes != 0)
        {
            return Fail(DiagCode.RunBadAccess,
                $"atomic access of {sizeBytes} bytes at {address:x} is misaligned", address);
        }

        var isFound = TryFindRegion(address, sizeBytes, isWrite, out var region, out var code);
        if (!isFound)
        {
            return IsProbed(idx, insn)
                ? ReadZero(insn, idx)
                : Fail(code, Describe(insn, sizeBytes, address, code), address);
        }

        Remember(region);
        Access(insn, address);
        return _code[idx + 1];
    }

    private bool TryFindRegion(ulong address, ulong sizeBytes, bool isWrite, out Region region, out DiagCode code)
    {
        region = new Region(_m->StackLow, _m->StackLen, IsWritable: true);
        code = DiagCode.None;
        return region.Holds(address, sizeBytes) || _memory.TryFind(address, sizeBytes, isWrite, out region, out code);
    }

    // Whether the region last used is another than this run's outermost frame.
    private bool _remembers;

    /// <summary>Takes regions for granted until the next call; memory is only freed by calls.</summary>
    private void Remember(Region region)
    {
        if (region.SizeBytes < sizeof(ulong))
        {
            return;
        }

        _remembers = true;
        _m->Read.Show(region.Address, region.SizeBytes);
        if (region.IsWritable)
        {
            _m->Write.Show(region.Address, region.SizeBytes);
        }
    }

    private void ForgetRegions()
    {
        if (!_remembers)
        {
            return;
        }

        _remembers = false;
        _m->Read.Show(_m->StackLow, Machine.StackBytes);
        _m->Write.Show(_m->StackLow, Machine.StackBytes);
    }

    private void Access(BpfInsn insn, ulong address)
    {
        var dst = _m->Regs + insn.Dst;
        var src = _m->Regs + insn.Src;
        switch (insn.Class)
        {
            case InsnClass.Ldx:
                *dst = Read(insn, address);
                break;
            case InsnClass.Stx when insn.IsLoadAcquire:
                *dst = Read(insn, address);
                Interlocked.MemoryBarrier();
                break;
            case InsnClass.Stx when insn.IsStoreRelease:
                Interlocked.MemoryBarrier();
                Write(insn, address, *src);
                break;
            case InsnClass.Stx when insn.IsAtomic:
                Handlers.RunAtomic(insn.Imm, (insn.Opcode & BpfOp.SizeMask) == BpfOp.Dw, address, src, _m->Regs);
                break;
            default:
                Write(insn, address, insn.Class == InsnClass.Stx ? *src : (ulong)insn.Imm);
                break;
        }
    }

    private static ulong Read(BpfInsn insn, ulong address)
    {
        var isSigned = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Memsx;
        return (insn.Opcode & BpfOp.SizeMask) switch
        {
            BpfOp.B => isSigned ? MemSx8.Load(address) : Mem8.Load(address),
            BpfOp.H => isSigned ? MemSx16.Load(address) : Mem16.Load(address),
            BpfOp.W => isSigned ? MemSx32.Load(address) : Mem32.Load(address),
            _ => Mem64.Load(address),
        };
    }

    private static void Write(BpfInsn insn, ulong address, ulong value)
    {
        switch (insn.Opcode & BpfOp.SizeMask)
        {
            case BpfOp.B:
                Mem8.Store(address, value);
                break;
            case BpfOp.H:
                Mem16.Store(address, value);
                break;
            case BpfOp.W:
                Mem32.Store(address, value);
                break;
            default:
                Mem64.Store(address, value);
                break;
        }
    }

    /// <summary>Whether the kernel would run this load as <c>BPF_PROBE_MEM</c>, where a fault reads as zero.</summary>
    private bool IsProbed(int idx, BpfInsn insn) =>
        insn.Class == InsnClass.Ldx && (uint)idx < (uint)_prog.Probed.Length && _prog.Probed[idx];

    private Op* ReadZero(BpfInsn insn, int idx)
    {
        _m->Regs[insn.Dst] = 0;
        return _code[idx + 1];
    }

    /// <summary>A legacy packet load: big-endian, and past the packet's end the program is over with 0.</summary>
    private Op* LoadPacket()
    {
        var idx = _m->StopIdx;
        var insn = _code.Insns[idx];
        var isInd = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Ind;
        var off = unchecked(insn.Imm + (isInd ? (int)_m->Regs[insn.Src] : 0));
        var bytes = _ctx is null ? RawPacketAt(off) : _ctx.Packet is { } packet ? packet.BytesAt(off) : [];
        if (bytes.Length < insn.AccessBytes)
        {
            _unwound = new Unwound(0, IsThrown: false);
            return null;
        }

        _m->Regs[0] = insn.AccessBytes switch
        {
            1 => bytes[0],
            2 => BinaryPrimitives.ReadUInt16BigEndian(bytes),
            _ => BinaryPrimitives.ReadUInt32BigEndian(bytes),
        };
        return _code[idx + 1];
    }

    private ReadOnlySpan<byte> RawPacketAt(int off)
    {
        var at = (uint)off;
        var left = at <= RawPacket.SizeBytes ? RawPacket.SizeBytes - at : 0;
        return new((void*)(RawPacket.Address + at), (int)Math.Min(left, sizeof(uint)));
    }

    private static string Describe(BpfInsn insn, ulong sizeBytes, ulong address, DiagCode code)
    {
        var what = insn.Class == InsnClass.Ldx || insn.IsLoadAcquire ? "read" : "write";
        var where = code == DiagCode.RunUseAfterFree ? "in freed memory"
            : address < 4096 ? "through a null pointer"
            : "outside everything the program may touch";
        return $"{what} of {sizeBytes} bytes at {address:x} {where}";
    }
}
