namespace Kptr.Soundness;

// Functions that the kernel calls, exceptions, and memory behind dynptrs.
internal sealed partial class ProgGenerator
{
    private int _callbackDepth;

    private void Timer() => Timed(value =>
    {
        var name = $"fn_tick{_functions.Count}";
        Emit($"r1 = r{value}");
        Emit("r2 = timed_array ll");
        Emit("r3 = 1");
        EmitCall("bpf_timer_init", returnsScalar: true);
        Emit($"r1 = r{value}");
        Emit($"r2 = {name} ll");
        EmitCall("bpf_timer_set_callback", returnsScalar: true);
        Emit($"r1 = r{value}");
        Emit("r2 = 1000");
        Emit("r3 = 0");
        EmitCall(Pick<string>("bpf_timer_start", "bpf_timer_start", "bpf_timer_cancel"), returnsScalar: true);
        Tick(name);
    });

    private void Work() => Timed(value =>
    {
        var name = $"fn_tick{_functions.Count}";
        Emit($"r1 = r{value}");
        Emit("r1 += 16");
        Emit("r2 = timed_array ll");
        Emit("r3 = 0");
        EmitCall("bpf_wq_init", returnsScalar: true);
        Emit($"r1 = r{value}");
        Emit("r1 += 16");
        Emit($"r2 = {name} ll");
        Emit("r3 = 0");
        Emit("r4 = 0");
        EmitCall("bpf_wq_set_callback_impl", returnsScalar: true);
        Emit($"r1 = r{value}");
        Emit($"r1 += {(Errs(20) ? 0 : 16)}");
        Emit("r2 = 0");
        EmitCall("bpf_wq_start", returnsScalar: true);
        Tick(name);
    });

    private void Timed(Action<int> use)
    {
        if (!IsTracing || Errs(20))
        {
            Lookup("timed_array", use);
        }
    }

    /// <summary>What a timer or work item runs: it gets map, key and value.</summary>
    private void Tick(string name) => Callback(name, () =>
    {
        var value = Keep();
        Emit($"r{value} = r3");
        Emit($"*(u64 *)(r{value} + {(Errs(20) ? 8 : 40)}) = 1");
        if (Chance(3))
        {
            Emit($"r1 = r{value}");
            Emit("r1 += 32");
            Emit("r2 = 0");
            EmitCall("bpf_kptr_xchg");
            var none = NewLabel();
            Emit($"if r0 == 0 goto {none}");
            Emit("r1 = r0");
            EmitCall("bpf_task_release");
            Emit($"{none}:");
        }

        Block(2);
        Emit($"r0 = {(Errs(20) ? 1 : 0)}");
    });

    private void Drain()
    {
        var name = $"fn_loop{_functions.Count}";
        var shared = Stack(8);
        Emit($"*(u64 *)(r10 {shared}) = {_random.Next(9)}");
        Emit("r1 = user_ring ll");
        Emit($"r2 = {name} ll");
        EmitAddress(3, shared);
        Emit("r4 = 0");
        EmitCall("bpf_user_ringbuf_drain", returnsScalar: true);
        Callback(name, () =>
        {
            var dynptr = Keep();
            Emit($"r{dynptr} = r1");
            SharedAccess(2);
            ReadDynptr(() => Emit($"r1 = r{dynptr}"));
            Block(1);
            Emit($"r0 = {(Errs(9) ? 2 : Pick<int>(0, 0, 1))}");
        });
    }

    private void FindVma()
    {
        if (!IsTracing && !Errs(9))
        {
            return;
        }

        var name = $"fn_each{_functions.Count}";
        var shared = Stack(8);
        Emit($"*(u64 *)(r10 {shared}) = {_random.Next(9)}");
        EmitCall("bpf_get_current_task_btf");
        Emit("r1 = r0");
        Emit("r2 = 4096");
        Emit($"r3 = {name} ll");
        EmitAddress(4, shared);
        Emit("r5 = 0");
        EmitCall("bpf_find_vma", returnsScalar: true);
        Callback(name, () =>
        {
            int task = Keep(), vma = Keep();
            Emit($"r{task} = r1");
            Emit($"r{vma} = r2");
            SharedAccess(3);
            Peek(vma);
            Drop(vma);
            if (Chance(2))
            {
                Own(() => { Emit($"r1 = r{task}"); EmitCall("bpf_task_acquire"); }, "bpf_task_release", 8, Peek);
            }

            Block(1);
            Emit("r0 = 0");
        });
    }

    private void Callback(string name, Action body)
    {
        var (owned, sections, rcu) = (_ownedCount, _sectionCount, _isInRcu);
        (_ownedCount, _sectionCount, _isInRcu) = (0, 0, false);
        _callbackDepth++;
        Function(name, body);
        _callbackDepth--;
        (_ownedCount, _sectionCount, _isInRcu) = (owned, sections, rcu);
    }

    /// <summary>An exception on one way of a branch.</summary>
    private void Throw()
    {
        if ((_ownedCount > 0 || _sectionCount > 0 || _callbackDepth > 0) && !Errs(5))
        {
            return;
        }

        var on = NewLabel();
        Emit($"if r{AnyScalar()} {Pick<string>(JumpSigns)} {Words.Imm(_random)} goto {on}");
        Emit($"r1 = {(_section is "tc" or "syscall" || Errs(3) ? _random.Next(9) : 0)}");
        var before = (Kind[])_regs.Clone();
        EmitCall("bpf_throw");
        Emit($"{on}:");
        _regs = before;
        _regs[1] = Kind.None;
    }

    /// <summary>A dynptr of a map's value, its clones and slices.</summary>
    private void MemoryDynptr() => Lookup(Pick<string>("plain_array", "plain_hash"), value =>
    {
        var dynptr = Stack(16);
        Emit($"r1 = r{value}");
        Emit($"r2 = {_random.Next(1, Errs(20) ? 80 : 64)}");
        Emit("r3 = 0");
        EmitAddress(4, dynptr);
        EmitCall("bpf_dynptr_from_mem", returnsScalar: true);
        UseDynptr(dynptr);
    });

    private void PacketDynptr()
    {
        if (!HasContext || (_section is not ("tc" or "cgroup_skb/egress" or "xdp") && !Errs(20)))
        {
            return;
        }

        var dynptr = Stack(16);
        Emit("r1 = r6");
        Emit("r2 = 0");
        EmitAddress(3, dynptr);
        EmitCall(_section == "xdp" ? "bpf_dynptr_from_xdp" : "bpf_dynptr_from_skb", returnsScalar: true);
        UseDynptr(dynptr);
    }

    private void UseDynptr(int dynptr)
    {
        switch (_random.Next(4))
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

    private void ReadDynptr(Action dynptr)
    {
        var buffer = Stack(8);
        dynptr();
        Emit("r3 = r1");
        EmitAddress(1, buffer);
        Emit($"r2 = {Pick<int>(1, 4, 8)}");
        Emit($"r4 = {_random.Next(4)}");
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
        var writes = Chance(2) && (_section is "tc" or "xdp" || Errs(9));
        Emit($"*(u64 *)(r10 {buffer}) = 0");
        Emit($"*(u64 *)(r10 {buffer + 8}) = 0");
        EmitAddress(1, dynptr);
        Emit($"r2 = {_random.Next(4)}");
        EmitAddress(3, buffer);
        Emit($"r4 = {(Errs(20) ? 17 : 16)}");
        EmitCall(writes ? "bpf_dynptr_slice_rdwr" : "bpf_dynptr_slice");
        Emit($"if r0 == 0 goto {end}");
        Emit($"r{kept} = r0");
        var before = (Kind[])_regs.Clone();
        Block(1);
        Emit(writes || Errs(10) ? $"*(u32 *)(r{kept} + {_random.Next(13)}) = 7" : $"r1 = *(u32 *)(r{kept} + 4)");
        MergeRegs(before);
        Emit($"{end}:");
        Drop(kept);
    }

    /// <summary>The value that belongs to a task, and a reference in it.</summary>
    private void Storage()
    {
        var value = IsTracing || Errs(9) ? Keep() : 0;
        if (value == 0)
        {
            return;
        }

        var end = NewLabel();
        EmitCall("bpf_get_current_task_btf");
        Emit("r1 = task_notes ll");
        Emit("r2 = r0");
        Emit("r3 = 0");
        Emit("r4 = 1");
        EmitCall("bpf_task_storage_get");
        Emit($"if r0 == 0 goto {end}");
        Emit($"r{value} = r0");
        var before = (Kind[])_regs.Clone();
        Emit($"r1 = r{value}");
        Emit("r1 += 8");
        Emit("r2 = 0");
        EmitCall("bpf_kptr_xchg");
        Emit($"if r0 == 0 goto {end}");
        Emit("r1 = r0");
        EmitCall("bpf_task_release");
        MergeRegs(before);
        Emit($"{end}:");
        Drop(value);
    }
}
