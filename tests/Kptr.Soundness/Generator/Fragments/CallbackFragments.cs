namespace Kptr.Soundness;

/// <summary>Functions that the kernel calls later or for each of something, and exceptions.</summary>
internal sealed class CallbackFragments(
    ProgText text,
    MemoryFragments memory,
    FunctionFragments functions,
    ReferenceFragments references,
    DynptrFragments dynptrs)
    : FragmentWriter(text)
{
    public void Timer() => Timed(value =>
    {
        var name = $"fn_tick{Text.FunctionCount}";
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

    public void Work() => Timed(value =>
    {
        var name = $"fn_tick{Text.FunctionCount}";
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
        if (!Around.IsTracing || Errs(20))
        {
            memory.Lookup("timed_array", use);
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

    public void Drain()
    {
        var name = $"fn_loop{Text.FunctionCount}";
        var shared = Stack(8);
        Emit($"*(u64 *)(r10 {shared}) = {Random.Next(9)}");
        Emit("r1 = user_ring ll");
        Emit($"r2 = {name} ll");
        EmitAddress(3, shared);
        Emit("r4 = 0");
        EmitCall("bpf_user_ringbuf_drain", returnsScalar: true);
        Callback(name, () =>
        {
            var dynptr = Keep();
            Emit($"r{dynptr} = r1");
            functions.SharedAccess(2);
            dynptrs.ReadDynptr(() => Emit($"r1 = r{dynptr}"));
            Block(1);
            Emit($"r0 = {(Errs(9) ? 2 : Pick<int>(0, 0, 1))}");
        });
    }

    public void FindVma()
    {
        if (!Around.IsTracing && !Errs(9))
        {
            return;
        }

        var name = $"fn_each{Text.FunctionCount}";
        var shared = Stack(8);
        Emit($"*(u64 *)(r10 {shared}) = {Random.Next(9)}");
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
            functions.SharedAccess(3);
            references.Peek(vma);
            Drop(vma);
            if (Chance(2))
            {
                references.Own(() => { Emit($"r1 = r{task}"); EmitCall("bpf_task_acquire"); },
                    "bpf_task_release", 8, references.Peek);
            }

            Block(1);
            Emit("r0 = 0");
        });
    }

    private void Callback(string name, Action body)
    {
        var (owned, sections, rcu) = (Around.Owned, Around.Sections, Around.IsInRcu);
        (Around.Owned, Around.Sections, Around.IsInRcu) = (0, 0, false);
        Around.Callbacks++;
        Function(name, body);
        Around.Callbacks--;
        (Around.Owned, Around.Sections, Around.IsInRcu) = (owned, sections, rcu);
    }

    /// <summary>An exception on one way of a branch.</summary>
    public void Throw()
    {
        if ((Around.Owned > 0 || Around.Sections > 0 || Around.Callbacks > 0) && !Errs(5))
        {
            return;
        }

        var on = NewLabel();
        Emit($"if r{AnyScalar()} {Pick<string>(JumpSigns)} {Words.Imm(Random)} goto {on}");
        Emit($"r1 = {(Around.Section is "tc" or "syscall" || Errs(3) ? Random.Next(9) : 0)}");
        var before = (RegKind[])Regs.Clone();
        EmitCall("bpf_throw");
        Emit($"{on}:");
        Regs = before;
        Regs[1] = RegKind.None;
    }
}
