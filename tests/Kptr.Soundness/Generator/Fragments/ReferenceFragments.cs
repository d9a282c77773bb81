namespace Kptr.Soundness;

/// <summary>References: taken, handed on, stored, given back. Now and then one is forgotten.</summary>
internal sealed class ReferenceFragments(ProgText text) : FragmentWriter(text)
{
    /// <summary>No map has a place for such a reference.</summary>
    public const int NoSlot = 0;

    /// <summary>Takes a reference, uses it where there is one, and stores or releases it.</summary>
    public void Own(
        Action acquire, string release, int slotOff, Action<int>? use, string[]? maps = null, bool mayBeNull = true)
    {
        var owned = Keep();
        if (owned == 0)
        {
            return;
        }

        acquire();
        var end = NewLabel();
        if (mayBeNull && !Errs(40))
        {
            Emit($"if r0 == 0 goto {end}");
        }

        Emit($"r{owned} = r0");
        var before = (RegKind[])Regs.Clone();
        Around.Owned++;
        use?.Invoke(owned);
        Block(2);
        if (Chance(3))
        {
            Stash(owned);
        }

        if (Chance(3) && (slotOff != NoSlot || Errs(4)))
        {
            Store(owned, release, slotOff, maps ?? MemoryFragments.HeldMaps);
        }
        else if (!Errs(40))
        {
            GiveBack(owned, release);
        }

        Around.Owned--;
        MergeRegs(before);
        Emit($"{end}:");
        Drop(owned);
    }

    /// <summary>On the stack and back again.</summary>
    private void Stash(int owned)
    {
        var off = Stack(8);
        Emit($"*(u64 *)(r10 {off}) = r{owned}");
        Emit($"r{owned} = 0");
        Block(1);
        Emit($"r{owned} = *(u64 *)(r10 {off})");
    }

    /// <summary>Into a map value, where there is one; what was there, or the reference itself, is released.</summary>
    private void Store(int owned, string release, int slotOff, string[] maps)
    {
        string end = NewLabel(), give = NewLabel();
        var key = Stack(8);
        Emit($"*(u32 *)(r10 {key}) = {Random.Next(4)}");
        Emit($"r1 = {Pick<string>(maps)} ll");
        EmitAddress(2, key);
        EmitCall("bpf_map_lookup_elem");
        Emit($"if r0 == 0 goto {give}");
        Emit("r1 = r0");
        Emit($"r1 += {(Errs(30) ? 8 : slotOff)}");
        Emit($"r2 = r{owned}");
        EmitCall("bpf_kptr_xchg");
        Emit($"r{owned} = r0");
        Emit($"if r0 == 0 goto {end}");
        Emit($"{give}:");
        Release(owned, release);
        Emit($"{end}:");
    }

    /// <summary>Releases a reference: here, in a function, or on either way of a branch.</summary>
    private void GiveBack(int owned, string release)
    {
        if (!Text.IsAboutOwners || Chance(2))
        {
            Release(owned, release);
        }
        else if (Chance(2))
        {
            var name = $"fn_ref{Text.FunctionCount}";
            Emit($"r1 = r{owned}");
            EmitCall(name, returnsScalar: true);
            Function(name, () =>
            {
                var given = Keep();
                Emit($"r{given} = r1");
                Block(1);
                Release(given, release);
                Emit("r0 = 0");
            });
        }
        else
        {
            string other = NewLabel(), end = NewLabel();
            Emit($"if r{AnyScalar()} {Pick<string>(JumpSigns)} {Words.Imm(Random)} goto {other}");
            var before = (RegKind[])Regs.Clone();
            Block(1);
            Release(owned, release);
            Emit($"goto {end}");
            Emit($"{other}:");
            Regs = (RegKind[])before.Clone();
            Release(owned, release);
            Emit($"{end}:");
            MergeRegs(before);
        }
    }

    public void Release(int owned, string release)
    {
        Emit($"r1 = r{owned}");
        if (release is "bpf_obj_drop_impl" or "bpf_percpu_obj_drop_impl"
            or "bpf_ringbuf_submit" or "bpf_ringbuf_discard")
        {
            Emit("r2 = 0");
        }

        EmitCall(release);
    }

    /// <summary>Reads some word of a kernel object, whatever its type makes of it.</summary>
    public void Peek(int of)
    {
        var to = AnyTarget();
        Emit(Chance(8)
            ? $"r{to} = *({Pick<string>("u32", "u64")} *)(r{of} + {8 * Random.Next(24)})"
            : $"r{to} = *(u64 *)(r{of} + 0)");
        Regs[to] = RegKind.None;
    }
}
