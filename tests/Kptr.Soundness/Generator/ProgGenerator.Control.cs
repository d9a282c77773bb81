namespace Kptr.Soundness;

// Loops and calls within the program.
internal sealed partial class ProgGenerator
{
    private void Loop()
    {
        var kept = Keep();
        if (kept == 0 || _isLocked)
        {
            return;
        }

        switch (_random.Next(3))
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

        _regs[kept] = Kind.Scalar;
    }

    private void CountedLoop(int counter)
    {
        var top = NewLabel();
        Emit($"r{counter} = {_random.Next(-3, 3)}");
        Emit($"{top}:");
        Again(3);
        Emit($"r{counter} += {Pick<int>(1, 1, 2, 3)}");
        Emit(
            $"if {Pick<string>("r", "w")}{counter} {Pick<string>("s<", "s<=", "!=")} {_random.Next(2, 12)} goto {top}");
    }

    private void MayGotoLoop(int counter)
    {
        string top = NewLabel(), end = NewLabel();
        Emit($"r{counter} = 0");
        Emit($"{top}:");
        Emit($"may_goto {end}");
        Again(2);
        Emit($"r{counter} += 1");
        Emit($"if r{counter} > {_random.Next(2, 300)} goto {end}");
        Emit($"goto {top}");
        Emit($"{end}:");
    }

    private void IteratorLoop(int number)
    {
        string top = NewLabel(), end = NewLabel();
        var iter = Stack(8);
        EmitAddress(1, iter);
        Emit($"r{number} = 0");
        var from = _random.Next(-5, 5);
        Emit($"r2 = {from}");
        Emit($"r3 = {from + _random.Next(-1, 20)}");
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
    private void Again(int most)
    {
        for (var i = 0; i <= 5; i++)
        {
            _regs[i] = Kind.None;
        }

        var before = (Kind[])_regs.Clone();
        Block(most);
        for (var reg = 7; reg <= 9; reg++)
        {
            if (before[reg] == Kind.Scalar && _regs[reg] != Kind.Scalar)
            {
                Emit($"r{reg} = {_random.Next(9)}");
            }
        }

        _regs = before;
    }

    private void CallFunction()
    {
        if (_isLocked)
        {
            return;
        }

        switch (_random.Next(4))
        {
            case 0:
                CallLoop();
                break;
            case 1:
                CallForEach();
                break;
            default:
                CallSubprog(Pick<string>("fn_sub", "fn_sub", "fn_global"));
                break;
        }
    }

    private void CallSubprog(string kind)
    {
        var name = $"{kind}{_functions.Count}";
        Emit($"r1 = r{AnyScalar()}");
        _regs[1] = Kind.Kept;
        Emit($"r2 = r{AnyScalar(not: 1)}");
        EmitCall(name, returnsScalar: true);
        Function(name, () =>
        {
            _regs[1] = _regs[2] = Kind.Scalar;
            Block(4);
            Emit($"r0 = r{AnyScalar()}");
        });
    }

    private void CallLoop()
    {
        var name = $"fn_loop{_functions.Count}";
        var shared = Stack(8);
        Emit($"*(u64 *)(r10 {shared}) = {_random.Next(9)}");
        EmitRounds();
        Emit($"r2 = {name} ll");
        EmitAddress(3, shared);
        Emit("r4 = 0");
        EmitCall("bpf_loop", returnsScalar: true);
        Function(name, () =>
        {
            _regs[1] = Kind.Scalar;
            SharedAccess(2);
            Block(3);
            Emit($"r0 = {Pick<int>(0, 0, 0, 1)}");
        });
        var to = AnyTarget();
        Emit($"r{to} = *(u64 *)(r10 {shared})");
        _regs[to] = Kind.Scalar;
    }

    // The same bound on every path: where paths differ in it, Linux 6.12 and so the verifier look
    // at the fewest rounds only.
    private void EmitRounds()
    {
        if (Chance(2))
        {
            Emit($"r1 = {Pick<int>(0, 1, 2, 3, 9, 60)}");
            return;
        }

        EmitCall("bpf_get_prandom_u32");
        Emit("r1 = r0");
        Emit($"r1 &= {Pick<int>(1, 7, 15, 63)}");
    }

    private void CallForEach()
    {
        var name = $"fn_each{_functions.Count}";
        var map = Pick<string>("plain_array", "plain_hash", "held_hash", "held_array", "plain_percpu");
        var shared = Stack(8);
        Emit($"*(u64 *)(r10 {shared}) = {_random.Next(9)}");
        Emit($"r1 = {map} ll");
        Emit($"r2 = {name} ll");
        EmitAddress(3, shared);
        Emit("r4 = 0");
        EmitCall("bpf_for_each_map_elem", returnsScalar: true);
        Function(name, () =>
        {
            var value = Keep();
            Emit($"r{value} = r3");
            SharedAccess(4);
            ValueAccess(value, map);
            Block(2);
            Emit($"r0 = {Pick<int>(0, 0, 0, 1)}");
        });
    }

    // What a callback gets from its caller: a number on the caller's stack, sometimes held in a register of its own.
    private void SharedAccess(int pointer)
    {
        var reg = Pick<int>(0, 5);
        Emit($"r{reg} = *(u64 *)(r{pointer} + 0)");
        _regs[reg] = Kind.Scalar;
        Emit($"r{reg} += {_random.Next(4)}");
        Emit(Chance(2) ? $"*(u64 *)(r{pointer} + 0) = r{reg}" : $"lock *(u64 *)(r{pointer} + 0) += r{reg}");
    }

    private void Function(string name, Action body)
    {
        var (lines, regs, stack, nesting) = (_lines, _regs, _stackBytes, _nesting);
        _functions.Add(_lines = [$"{name}:"]);
        (_regs, _stackBytes, _nesting) = (new Kind[10], 0, Math.Max(_nesting, 2));
        body();
        Emit("exit");
        (_lines, _regs, _stackBytes, _nesting) = (lines, regs, stack, nesting);
    }
}
