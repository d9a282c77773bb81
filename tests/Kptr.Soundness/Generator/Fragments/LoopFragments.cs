namespace Kptr.Soundness;

/// <summary>Loops that count, that may go on, and over numbers.</summary>
internal sealed class LoopFragments(ProgText text) : FragmentWriter(text)
{
    public void Loop()
    {
        var kept = Keep();
        if (kept == 0 || Around.IsLocked)
        {
            return;
        }

        switch (Random.Next(3))
        {
            case 0:
                CountedLoop(kept);
                break;
            case 1:
                MayGotoLoop(kept);
                break;
            default:
                IteratorLoop(kept);
                break;
        }

        Regs[kept] = RegKind.Scalar;
    }

    private void CountedLoop(int counter)
    {
        var top = NewLabel();
        Emit($"r{counter} = {Random.Next(-3, 3)}");
        Emit($"{top}:");
        Again(3);
        Emit($"r{counter} += {Pick<int>(1, 1, 2, 3)}");
        Emit(
            $"if {Pick<string>("r", "w")}{counter} {Pick<string>("s<", "s<=", "!=")} {Random.Next(2, 12)} goto {top}");
    }

    private void MayGotoLoop(int counter)
    {
        string top = NewLabel(), end = NewLabel();
        Emit($"r{counter} = 0");
        Emit($"{top}:");
        Emit($"may_goto {end}");
        Again(2);
        Emit($"r{counter} += 1");
        Emit($"if r{counter} > {Random.Next(2, 300)} goto {end}");
        Emit($"goto {top}");
        Emit($"{end}:");
    }

    private void IteratorLoop(int number)
    {
        string top = NewLabel(), end = NewLabel();
        var iter = Stack(8);
        EmitAddress(1, iter);
        Emit($"r{number} = 0");
        var from = Random.Next(-5, 5);
        Emit($"r2 = {from}");
        Emit($"r3 = {from + Random.Next(-1, 20)}");
        EmitCall("bpf_iter_num_new");
        Emit($"{top}:");
        EmitAddress(1, iter);
        EmitCall("bpf_iter_num_next");
        Emit($"if r0 == 0 goto {end}");
        Emit($"r{number} = *({Pick<string>("u32", "s32")} *)(r0 + 0)");
        Again(3);
        Emit($"goto {top}");
        Emit($"{end}:");
        EmitAddress(1, iter);
        EmitCall("bpf_iter_num_destroy");
    }

    /// <summary>A block that runs again: what it found in registers it leaves there.</summary>
    public void Again(int most)
    {
        for (var i = 0; i <= 5; i++)
        {
            Regs[i] = RegKind.None;
        }

        var before = (RegKind[])Regs.Clone();
        Block(most);
        for (var reg = 7; reg <= 9; reg++)
        {
            if (before[reg] == RegKind.Scalar && Regs[reg] != RegKind.Scalar)
            {
                Emit($"r{reg} = {Random.Next(9)}");
            }
        }

        Regs = before;
    }
}
