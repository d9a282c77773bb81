namespace Kptr.Soundness;

/// <summary>Items that lists and trees own, and the lock that guards them.</summary>
internal sealed class ListFragments(
    ProgText text, MemoryFragments memory, ReferenceFragments references)
    : FragmentWriter(text)
{
    /// <summary>A value with a lock: its fields, its list and its tree.</summary>
    public void Guarded() => memory.Lookup("guarded_array", value =>
    {
        switch (Random.Next(3))
        {
            case 0:
                Lock(value, () => Block(1));
                break;
            case 1:
                references.Own(NewItem, "bpf_obj_drop_impl", 24, item => PushBack(value, item));
                break;
            default:
                TakeOut(value);
                break;
        }
    });

    /// <summary>
    /// An item that a list or tree takes over; what is left is a pointer that owns nothing, until the unlock.
    /// </summary>
    public void HandOver() => memory.Lookup("guarded_array", value =>
    {
        var item = Keep();
        if (item == 0)
        {
            return;
        }

        var end = NewLabel();
        var less = $"fn_less{Text.FunctionCount}";
        var toTree = Chance(2);
        NewItem();
        Emit($"if r0 == 0 goto {end}");
        Emit($"r{item} = r0");
        UseItem(item);
        Lock(value, () =>
        {
            Insert(value, item, toTree ? less : null);
            if (Chance(2))
            {
                UseItem(item);
            }
        });
        if (Errs(6))
        {
            UseItem(item);
        }
        else if (Errs(6))
        {
            references.Release(item, "bpf_obj_drop_impl");
        }

        Emit($"{end}:");
        Drop(item);
        if (toTree)
        {
            Less(less);
        }
    });

    public void OwnItem() => references.Own(NewItem, "bpf_obj_drop_impl", 24, UseItem);

    public void NewItem()
    {
        Emit($"r1 = {Text.Base.StructId("item")} ll");
        Emit("r2 = 0");
        EmitCall("bpf_obj_new_impl");
    }

    public void UseItem(int item)
    {
        Emit($"*(u64 *)(r{item} + {(Errs(30) ? 68 : Pick<int>(64, 72))}) = {Random.Next(99)}");
        if (Chance(2))
        {
            var to = AnyTarget();
            Emit($"r{to} = *(u64 *)(r{item} + 64)");
            Regs[to] = RegKind.Scalar;
        }
    }

    private void Lock(int value, Action inside)
    {
        Emit($"r1 = r{value}");
        EmitCall("bpf_spin_lock");
        Around.IsLocked = true;
        memory.ValueAccess(value, "guarded_array");
        inside();
        Around.IsLocked = false;
        Emit($"r1 = r{value}");
        EmitCall("bpf_spin_unlock");
    }

    // The item goes into the list or the tree; a second reference on it is what is released afterwards.
    private void PushBack(int value, int item)
    {
        var toTree = Chance(2);
        Emit($"r1 = r{item}");
        Emit("r2 = 0");
        EmitCall("bpf_refcount_acquire_impl");
        var second = Keep();
        if (second == 0)
        {
            return;
        }

        Emit($"r{second} = r0");
        var less = $"fn_less{Text.FunctionCount}";
        Lock(value, () => Insert(value, second, toTree ? less : null));
        Drop(second);
        if (toTree)
        {
            Less(less);
        }
    }

    /// <summary>Into the tree that a function orders, or the list where there is none.</summary>
    private void Insert(int value, int item, string? less)
    {
        Emit($"r1 = r{value}");
        Emit($"r1 += {(less is null ? 8 : 24)}");
        Emit($"r2 = r{item}");
        Emit(less is null ? "r2 += 0" : "r2 += 24");
        Emit(less is null ? "r3 = 0" : $"r3 = {less} ll");
        Emit("r4 = 0");
        Emit(less is null ? "r5 = 0" : "r5 = 24");
        EmitCall(less is null
            ? Pick<string>("bpf_list_push_front_impl", "bpf_list_push_back_impl")
            : "bpf_rbtree_add_impl", returnsScalar: true);
    }

    private void Less(string name) => Function(name, () =>
    {
        Emit("r1 = *(u64 *)(r1 + 40)");
        Emit("r2 = *(u64 *)(r2 + 40)");
        Emit("r0 = 0");
        var end = NewLabel();
        Emit($"if r1 >= r2 goto {end}");
        Emit("r0 = 1");
        Emit($"{end}:");
    });

    private void TakeOut(int value)
    {
        var isTree = Chance(2);
        var none = NewLabel();
        if (!isTree)
        {
            var item = Keep();
            if (item == 0)
            {
                return;
            }

            Lock(value, () =>
            {
                Emit($"r1 = r{value}");
                Emit("r1 += 8");
                EmitCall(Pick<string>("bpf_list_pop_front", "bpf_list_pop_back"));
                Emit($"r{item} = r0");
            });
            Emit($"if r{item} == 0 goto {none}");
            UseItem(item);
            references.Release(item, "bpf_obj_drop_impl");
            Emit($"{none}:");
            Drop(item);
            return;
        }

        Emit($"r1 = r{value}");
        EmitCall("bpf_spin_lock");
        Emit($"r1 = r{value}");
        Emit("r1 += 24");
        EmitCall("bpf_rbtree_first");
        var gone = NewLabel();
        Emit($"if r0 == 0 goto {gone}");
        Emit($"r1 = r{value}");
        Emit("r1 += 24");
        Emit("r2 = r0");
        EmitCall("bpf_rbtree_remove");
        var node = Keep();
        node = node == 0 ? value : node;
        Emit($"{gone}:");
        Emit($"r{node} = r0");
        Emit($"r1 = r{value}");
        EmitCall("bpf_spin_unlock");
        Emit($"if r{node} == 0 goto {none}");
        Emit($"r{node} += -24");
        references.Release(node, "bpf_obj_drop_impl");
        Emit($"{none}:");
        if (node != value)
        {
            Drop(node);
        }
    }
}
