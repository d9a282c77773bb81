namespace Kptr.Soundness;

/// <summary>Records of ring buffers, and memory behind dynptrs.</summary>
internal sealed class DynptrFragments(
    ProgText text, MemoryFragments memory, ReferenceFragments references)
    : FragmentWriter(text)
{
    /// <summary>A record of the ring buffer, as memory or as a dynptr.</summary>
    public void Record()
    {
        if (Chance(2))
        {
            DynptrRecord();
            return;
        }

        var bytes = Random.Next(1, 40);
        references.Own(
            () => { Emit("r1 = ring ll"); Emit($"r2 = {bytes}"); Emit("r3 = 0"); EmitCall("bpf_ringbuf_reserve"); },
            Pick<string>("bpf_ringbuf_submit", "bpf_ringbuf_discard"), 8,
            record =>
            {
                var size = Pick<int>(1, 2, 4, 8);
                Emit($"*(u{size * 8} *)(r{record} + "
                    + $"{Math.Max(0, bytes - size + (Errs(20) ? 1 : 0))}) = r{AnyScalar()}");
            });
    }

    private void DynptrRecord()
    {
        int dynptr = Stack(16), buffer = Stack(16), bytes = Random.Next(1, 32);
        Emit("r1 = ring ll");
        Emit($"r2 = {bytes}");
        Emit("r3 = 0");
        EmitAddress(4, dynptr);
        EmitCall("bpf_ringbuf_reserve_dynptr", returnsScalar: true);
        Emit($"*(u64 *)(r10 {buffer}) = r{AnyScalar()}");
        Emit($"*(u64 *)(r10 {buffer + 8}) = {Random.Next(99)}");
        EmitAddress(1, dynptr);
        Emit($"r2 = {Random.Next(9)}");
        EmitAddress(3, buffer);
        Emit($"r4 = {Random.Next(1, 17)}");
        Emit("r5 = 0");
        EmitCall("bpf_dynptr_write", returnsScalar: true);
        if (Chance(2))
        {
            var end = NewLabel();
            EmitAddress(1, dynptr);
            Emit($"r2 = {Random.Next(5)}");
            Emit("r3 = 8");
            EmitCall("bpf_dynptr_data");
            Emit($"if r0 == 0 goto {end}");
            var to = AnyTarget(not: 0);
            Emit($"r{to} = *(u32 *)(r0 + {Random.Next(6)})");
            Drop(to);
            Emit($"{end}:");
        }

        EmitAddress(1, dynptr);
        Emit("r2 = 0");
        EmitCall(Pick<string>("bpf_ringbuf_submit_dynptr", "bpf_ringbuf_discard_dynptr"));
    }

    /// <summary>A dynptr of a map's value, its clones and slices.</summary>
    public void MemoryDynptr() => memory.Lookup(Pick<string>("plain_array", "plain_hash"), value =>
    {
        var dynptr = Stack(16);
        Emit($"r1 = r{value}");
        Emit($"r2 = {Random.Next(1, Errs(20) ? 80 : 64)}");
        Emit("r3 = 0");
        EmitAddress(4, dynptr);
        EmitCall("bpf_dynptr_from_mem", returnsScalar: true);
        UseDynptr(dynptr);
    });

    public void PacketDynptr()
    {
        if (!HasContext || (Around.Section is not ("tc" or "cgroup_skb/egress" or "xdp") && !Errs(20)))
        {
            return;
        }

        var dynptr = Stack(16);
        Emit("r1 = r6");
        Emit("r2 = 0");
        EmitAddress(3, dynptr);
        EmitCall(Around.Section == "xdp" ? "bpf_dynptr_from_xdp" : "bpf_dynptr_from_skb", returnsScalar: true);
        UseDynptr(dynptr);
    }

    private void UseDynptr(int dynptr)
    {
        switch (Random.Next(4))
        {
            case 0:
                ReadDynptr(() => EmitAddress(1, dynptr));
                break;
            case 1:
                var clone = Stack(16);
                EmitAddress(1, dynptr);
                EmitAddress(2, clone);
                EmitCall("bpf_dynptr_clone", returnsScalar: true);
                ReadDynptr(() => EmitAddress(1, clone));
                break;
            case 2:
                Slice(dynptr);
                break;
            default:
                EmitAddress(1, dynptr);
                Emit("r2 = 1");
                Emit("r3 = 4");
                EmitCall("bpf_dynptr_adjust", returnsScalar: true);
                EmitAddress(1, dynptr);
                EmitCall(
                    Pick<string>("bpf_dynptr_size", "bpf_dynptr_is_null", "bpf_dynptr_is_rdonly"), returnsScalar: true);
                break;
        }
    }

    public void ReadDynptr(Action dynptr)
    {
        var buffer = Stack(8);
        dynptr();
        Emit("r3 = r1");
        EmitAddress(1, buffer);
        Emit($"r2 = {Pick<int>(1, 4, 8)}");
        Emit($"r4 = {Random.Next(4)}");
        Emit("r5 = 0");
        EmitCall("bpf_dynptr_read", returnsScalar: true);
    }

    private void Slice(int dynptr)
    {
        int buffer = Stack(16), kept = Keep();
        if (kept == 0)
        {
            return;
        }

        var end = NewLabel();
        var writes = Chance(2) && (Around.Section is "tc" or "xdp" || Errs(9));
        Emit($"*(u64 *)(r10 {buffer}) = 0");
        Emit($"*(u64 *)(r10 {buffer + 8}) = 0");
        EmitAddress(1, dynptr);
        Emit($"r2 = {Random.Next(4)}");
        EmitAddress(3, buffer);
        Emit($"r4 = {(Errs(20) ? 17 : 16)}");
        EmitCall(writes ? "bpf_dynptr_slice_rdwr" : "bpf_dynptr_slice");
        Emit($"if r0 == 0 goto {end}");
        Emit($"r{kept} = r0");
        var before = (RegKind[])Regs.Clone();
        Block(1);
        Emit(writes || Errs(10) ? $"*(u32 *)(r{kept} + {Random.Next(13)}) = 7" : $"r1 = *(u32 *)(r{kept} + 4)");
        MergeRegs(before);
        Emit($"{end}:");
        Drop(kept);
    }
}
