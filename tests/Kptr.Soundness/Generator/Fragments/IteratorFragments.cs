namespace Kptr.Soundness;

/// <summary>Loops over what kernel iterators give.</summary>
internal sealed class IteratorFragments(
    ProgText text, SectionFragments sections, ReferenceFragments references, LoopFragments loops)
    : FragmentWriter(text)
{
    public void TaskIterator() => sections.Rcu(() => Iterate(
        "bpf_iter_task", 24, () => { Emit("r2 = 0"); Emit($"r3 = {Random.Next(3)}"); }, task =>
        {
            if (Chance(2))
            {
                references.Own(() => { Emit($"r1 = r{task}"); EmitCall("bpf_task_acquire"); },
                    "bpf_task_release", 8, references.Peek);
            }
            else
            {
                references.Peek(task);
            }
        }));

    public void CssIterator()
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

    public void Css(int from) => sections.Rcu(() => Iterate(
        "bpf_iter_css", 24, () => { Emit($"r2 = r{from}"); Emit($"r3 = {Random.Next(1, 4)}"); }, references.Peek));

    public void VmaIterator()
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

    public void Vmas(Action task) =>
        Iterate("bpf_iter_task_vma", 8, () => { task(); Emit("r3 = 0"); }, references.Peek);

    public void BitsIterator()
    {
        var bits = Stack(8);
        Emit($"*(u64 *)(r10 {bits}) = {Random.Next(99)}");
        Iterate("bpf_iter_bits", 16, () => { EmitAddress(2, bits); Emit("r3 = 1"); }, bit =>
        {
            var to = AnyTarget();
            Emit($"r{to} = *(u32 *)(r{bit} + 0)");
            Regs[to] = RegKind.Scalar;
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
            Regs[reg] = Regs[reg] == RegKind.Scalar ? RegKind.None : Regs[reg];
        }

        Emit($"{top}:");
        EmitAddress(1, iter);
        EmitCall($"{kind}_next");
        Emit($"if r0 == 0 goto {end}");
        Emit($"r{element} = r0");
        body(element);
        loops.Again(2);
        Emit($"goto {top}");
        Emit($"{end}:");
        EmitAddress(1, iter);
        EmitCall($"{kind}_destroy");
        Drop(element);
    }
}
