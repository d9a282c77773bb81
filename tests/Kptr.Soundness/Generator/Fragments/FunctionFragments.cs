namespace Kptr.Soundness;

/// <summary>Calls within the program, and of functions that call back.</summary>
internal sealed class FunctionFragments(ProgText text, MemoryFragments memory) : FragmentWriter(text)
{
    public void CallFunction()
    {
        if (Around.IsLocked)
        {
            return;
        }

        switch (Random.Next(4))
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
        var name = $"{kind}{Text.FunctionCount}";
        Emit($"r1 = r{AnyScalar()}");
        Regs[1] = RegKind.Kept;
        Emit($"r2 = r{AnyScalar(not: 1)}");
        EmitCall(name, returnsScalar: true);
        Function(name, () =>
        {
            Regs[1] = Regs[2] = RegKind.Scalar;
            Block(4);
            Emit($"r0 = r{AnyScalar()}");
        });
    }

    private void CallLoop()
    {
        var name = $"fn_loop{Text.FunctionCount}";
        var shared = Stack(8);
        Emit($"*(u64 *)(r10 {shared}) = {Random.Next(9)}");
        EmitRounds();
        Emit($"r2 = {name} ll");
        EmitAddress(3, shared);
        Emit("r4 = 0");
        EmitCall("bpf_loop", returnsScalar: true);
        Function(name, () =>
        {
            Regs[1] = RegKind.Scalar;
            SharedAccess(2);
            Block(3);
            Emit($"r0 = {Pick<int>(0, 0, 0, 1)}");
        });
        var to = AnyTarget();
        Emit($"r{to} = *(u64 *)(r10 {shared})");
        Regs[to] = RegKind.Scalar;
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
        var name = $"fn_each{Text.FunctionCount}";
        var map = Pick<string>("plain_array", "plain_hash", "held_hash", "held_array", "plain_percpu");
        var shared = Stack(8);
        Emit($"*(u64 *)(r10 {shared}) = {Random.Next(9)}");
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
            memory.ValueAccess(value, map);
            Block(2);
            Emit($"r0 = {Pick<int>(0, 0, 0, 1)}");
        });
    }

    // What a callback gets from its caller: a number on the caller's stack, sometimes held in a register of its own.
    public void SharedAccess(int pointer)
    {
        var reg = Pick<int>(0, 5);
        Emit($"r{reg} = *(u64 *)(r{pointer} + 0)");
        Regs[reg] = RegKind.Scalar;
        Emit($"r{reg} += {Random.Next(4)}");
        Emit(Chance(2) ? $"*(u64 *)(r{pointer} + 0) = r{reg}" : $"lock *(u64 *)(r{pointer} + 0) += r{reg}");
    }
}
