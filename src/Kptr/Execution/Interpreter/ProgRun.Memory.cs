using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Execution;

// Accesses that the loop did not find in the stack or in the region last used.
internal sealed unsafe partial class ProgRun
{
    // What a load of a stale pointer reads where the kernel would have it fault and read zero.
    private static readonly ulong* Zero = (ulong*)NativeMemory.AllocZeroed(sizeof(ulong));

    /// <summary>The slow way of a memory access.</summary>
    private Op* AccessSlow()
    {
        var idx = _m->StopIdx;
        var insn = _code.Insns[idx];
        if (_code.IsArena(idx))
        {
            AccessArena(insn, _m->StopAddress);
            return _code[idx + 1];
        }

        var address = FindSlow(insn, idx, _m->StopAddress);
        if (address == 0)
        {
            return null;
        }

        Access(insn, address);
        return _code[idx + 1];
    }

    /// <summary>Finds live memory, and remembers its region, so that the next access is quick.</summary>
    /// <returns>Where it is; 0 where there is none, which ends the run.</returns>
    private ulong FindSlow(BpfInsn insn, int idx, ulong address)
    {
        var isWrite = insn.Class != InsnClass.Ldx && !insn.IsLoadAcquire;
        var sizeBytes = (ulong)insn.AccessBytes;
        if (insn.IsAtomic && address % sizeBytes != 0)
        {
            Fail(DiagCode.RunBadAccess, $"atomic access of {sizeBytes} bytes at {address:x} is misaligned", address);
            return 0;
        }

        // Frames are not remembered: but for the outermost, they go when their functions return.
        if (Stack.Holds(address, sizeBytes))
        {
            return address;
        }

        if (TryFindBesidesStack(address, sizeBytes, isWrite, out var region, out var code))
        {
            Remember(region);
            return address;
        }

        if (IsProbed(idx, insn))
        {
            return (ulong)Zero;
        }

        Fail(code, Describe(insn, sizeBytes, address, code), address);
        return 0;
    }

    private Region Stack => new(_m->StackLow, _m->StackLen, IsWritable: true);

    private bool TryFindRegion(ulong address, ulong sizeBytes, bool isWrite, out Region region, out DiagCode code)
    {
        region = Stack;
        code = DiagCode.None;
        return region.Holds(address, sizeBytes)
            || TryFindBesidesStack(address, sizeBytes, isWrite, out region, out code);
    }

    private bool TryFindBesidesStack(
        ulong address, ulong sizeBytes, bool isWrite, out Region region, out DiagCode code)
    {
        region = _context;
        code = DiagCode.None;
        return region.Allows(address, sizeBytes, isWrite)
            || _memory.TryFind(address, sizeBytes, isWrite, out region, out code);
    }

    // Whether the region last used is another than the machine's outermost frame.
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ForgetRegions()
    {
        if (_remembers)
        {
            _remembers = false;
            MachineMemory.ForgetRegions(_m);
        }
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
        var left = at <= _context.SizeBytes ? _context.SizeBytes - at : 0;
        return new((void*)(_context.Address + at), (int)Math.Min(left, sizeof(uint)));
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
