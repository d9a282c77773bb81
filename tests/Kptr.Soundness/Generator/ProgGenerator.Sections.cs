namespace Kptr.Soundness;

// Sections that forbid something inside, and iterators.
internal sealed partial class ProgGenerator
{
    private int _sectionCount;
    private bool _isInRcu;

    private void RcuSection() => Rcu(() => Block(2));

    /// <summary>Inside an RCU section: of its own, where there is none yet.</summary>
    private void Rcu(Action inside)
    {
        if (_isInRcu && !Errs(12))
        {
            inside();
            return;
        }

        var outer = _isInRcu;
        _isInRcu = true;
        Section("bpf_rcu_read_lock", "bpf_rcu_read_unlock", inside);
        _isInRcu = outer;
    }

    private void PreemptSection() => Section("bpf_preempt_disable", "bpf_preempt_enable", () => Block(2));

    private void Section(string begin, string end, Action inside)
    {
        EmitCall(begin);
        _sectionCount++;
        inside();
        _sectionCount--;
        EmitCall(end);
    }

    /// <summary>A call that may sleep.</summary>
    private void Sleep()
    {
        if (_section is not ("syscall" or "lsm.s/file_open") || (_sectionCount > 0 && !Errs(4)))
        {
            return;
        }

        var buffer = Stack(8);
        EmitAddress(1, buffer);
        Emit("r2 = 8");
        Emit("r3 = 4096");
        EmitCall("bpf_copy_from_user", returnsScalar: true);
    }

    private void TaskIterator() => Rcu(() => Iterate(
        "bpf_iter_task", 24, () => { Emit("r2 = 0"); Emit($"r3 = {_random.Next(3)}"); }, task =>
        {
            if (Chance(2))
            {
                Own(() => { Emit($"r1 = r{task}"); EmitCall("bpf_task_acquire"); }, "bpf_task_release", 8, Peek);
            }
            else
            {
                Peek(task);
            }
        }));

    private void CssIterator()
    {
        if (!Errs(3))
        {
            return;
        }

        var css = Keep();
        if (css != 0)
        {
            EmitCall("bpf_get_current_task_btf");
            Emit($"r{css} = r0");
            Css(css);
            Drop(css);
        }
    }

    private void Css(int from) => Rcu(() => Iterate(
        "bpf_iter_css", 24, () => { Emit($"r2 = r{from}"); Emit($"r3 = {_random.Next(1, 4)}"); }, Peek));

    private void VmaIterator()
    {
        var task = Keep();
        if (task != 0)
        {
            EmitCall("bpf_get_current_task_btf");
            Emit($"r{task} = r0");
            Vmas(() => Emit($"r2 = r{task}"));
            Drop(task);
        }
    }

    private void Vmas(Action task) => Iterate("bpf_iter_task_vma", 8, () => { task(); Emit("r3 = 0"); }, Peek);

    private void BitsIterator()
    {
        var bits = Stack(8);
        Emit($"*(u64 *)(r10 {bits}) = {_random.Next(99)}");
        Iterate("bpf_iter_bits", 16, () => { EmitAddress(2, bits); Emit("r3 = 1"); }, bit =>
        {
            var to = AnyTarget();
            Emit($"r{to} = *(u32 *)(r{bit} + 0)");
            _regs[to] = Kind.Scalar;
        });
    }

    /// <summary>A loop over what an iterator gives.</summary>
    private void Iterate(string kind, int sizeBytes, Action arguments, Action<int> body)
    {
        var element = Keep();
        if (element == 0)
        {
            return;
        }

        string top = NewLabel(), end = NewLabel();
        var iter = Stack(sizeBytes);
        arguments();
        EmitAddress(1, iter);
        EmitCall($"{kind}_new", returnsScalar: true);
        Emit($"r{element} = 0");
        for (var reg = 0; reg < 10; reg++)
        {
            _regs[reg] = _regs[reg] == Kind.Scalar ? Kind.None : _regs[reg];
        }

        Emit($"{top}:");
        EmitAddress(1, iter);
        EmitCall($"{kind}_next");
        Emit($"if r0 == 0 goto {end}");
        Emit($"r{element} = r0");
        body(element);
        Again(2);
        Emit($"goto {top}");
        Emit($"{end}:");
        EmitAddress(1, iter);
        EmitCall($"{kind}_destroy");
        Drop(element);
    }
}
