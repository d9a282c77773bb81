using Kptr.Btf;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Objects;
using Kptr.Verifier;
using Kptr.Verifier.State;

namespace Kptr.Soundness;

/// <summary>
/// Stands in for what the kernel makes of context accesses when it loads a program. The context is random bytes;
/// a load that gives a pointer gets the address of an object or a buffer, as the verifier believes it to be.
/// Packets the model has itself.
/// </summary>
internal sealed class ContextModel(KernelModel kernel, RegBeliefs? beliefs, UserSpace user, Random random) : IDisposable
{
    private const int BufferBytes = 4096;
    private const string PathField = "f_path";
    private readonly Dictionary<string, ulong> _blocks = [];
    private readonly Dictionary<string, KernelRef<KernelObject>> _made = [];
    private int _loadIdx = -1;

    /// <summary>Makes objects of a user's own kinds, by the name of their struct; null for none.</summary>
    internal Func<KernelModel, string, KernelObject?> ObjectOf { get; init; } = static (_, _) => null;

    /// <summary>Whether the kernel makes the context itself, so that nothing in it is to be replaced.</summary>
    internal bool IsReal { get; init; }

    /// <summary>Whether the program got memory that only looks like an object of the kernel.</summary>
    internal bool HasStandIns => _blocks.Count > 0;

    public void Dispose()
    {
        foreach (var block in _blocks.Values)
        {
            kernel.Heap.TryFree(block);
        }

        foreach (var made in _made.Values)
        {
            made.Release();
        }
    }

    /// <summary>After a load: puts the pointer into its register that the verifier believes to be there.</summary>
    internal void Supply(in RunPoint at)
    {
        if (IsReal)
        {
            return;
        }

        var load = _loadIdx;
        _loadIdx = at.Insns[at.InsnIdx].Class == InsnClass.Ldx && IsFromContext(at) ? at.InsnIdx : -1;
        if (load >= 0 && at.InsnIdx == load + 1 && beliefs?[at.InsnIdx] is [var state, ..])
        {
            Supply(state.Regs[at.Insns[load].Dst], ref at.Regs[at.Insns[load].Dst]);
        }
    }

    private void Supply(in RegBeliefs.Belief belief, ref ulong reg)
    {
        if (belief.Type == RegType.Scalar)
        {
            // What a hook may return, or a field that the kernel keeps within bounds.
            reg = belief.Var.Contains(reg) ? reg
                : random.Next(2) == 0 ? (ulong)belief.Var.SMin
                : (ulong)belief.Var.SMax;
        }
        else if (!kernel.Heap.TryFindRegion(reg, 0, out _) && AddressFor(belief) is { } address)
        {
            reg = belief.Type.MayBeNull() && random.Next(2) == 0 ? 0 : address;
        }
    }

    private ulong? AddressFor(in RegBeliefs.Belief belief) => belief.Type.Base() switch
    {
        RegType.PtrToBtfId when belief.Target is BtfSpec btf => AddressOf(btf[belief.Word0]),
        RegType.PtrToMem => Block("memory", belief.Word0),
        RegType.PtrToBuf or RegType.PtrToTpBuffer or RegType.PtrToFlowKeys => Block("buffer", BufferBytes),
        RegType.PtrToSocket or RegType.PtrToSockCommon => user.AnySock(isTcp: false).Address,
        RegType.PtrToTcpSock => user.AnySock(isTcp: true).Address,
        _ => null,
    };

    private ulong AddressOf(BtfType type) => type.Name switch
    {
        "task_struct" => user.AnyTask().Address,
        "cgroup" => user.AnyCgroup().Address,
        "file" => user.AnyFile().Address,
        "mm_struct" when user.AnyTask().Mm is { } mm => mm.Address,
        "bpf_map" when user.AnyMap() is { } map => map.Address,
        "sock" or "sock_common" or "inet_sock" or "udp_sock" or "udp6_sock" => user.AnySock(isTcp: false).Address,
        "tcp_sock" or "tcp6_sock" or "inet_connection_sock" => user.AnySock(isTcp: true).Address,
        "path" => user.AnyFile() is var file ? file.Address + (ulong)file.Layout.Field(PathField).OffsetBytes : 0,
        _ => Made(type.Name) ?? Block(type.Name, type.SizeBytes),
    };

    private ulong? Made(string name)
    {
        if (!_made.TryGetValue(name, out var made))
        {
            if (ObjectOf(kernel, name) is not { } fresh)
            {
                return null;
            }

            _made[name] = made = KernelRef.Own(fresh);
        }

        return made.Target.Address;
    }

    private ulong Block(string name, int sizeBytes)
    {
        if (!_blocks.TryGetValue(name, out var address))
        {
            _blocks[name] = address = kernel.Heap.AllocateBlock(name, sizeBytes);
        }

        return address;
    }

    private bool IsFromContext(in RunPoint at)
    {
        var src = at.Insns[at.InsnIdx].Src;
        return beliefs?[at.InsnIdx] is [var state, ..] && state.Regs[src].Type == RegType.PtrToCtx;
    }
}
