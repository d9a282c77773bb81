namespace Kptr.Soundness;

// References: taken, handed on, stored, given back. Now and then one is forgotten.
internal sealed partial class ProgGenerator
{
    private void Owned()
    {
        if (_isLocked)
        {
            return;
        }

        switch (_random.Next(7))
        {
            case 0:
                Own(() => { Emit($"r1 = {_random.Next(1, 6)}"); EmitCall("bpf_task_from_pid"); },
                    "bpf_task_release", 8, null);
                break;
            case 1:
                Own(() => { EmitCall("bpf_get_current_task_btf"); Emit("r1 = r0"); EmitCall("bpf_task_acquire"); },
                    "bpf_task_release", 8, null);
                break;
            case 2 when _section is "syscall" or "tp_btf/task_newtask":
                Own(() => EmitCall("bpf_cpumask_create"), "bpf_cpumask_release", 16, UseMask);
                break;
            case 3:
                Own(NewItem, "bpf_obj_drop_impl", 24, UseItem);
                break;
            case 4:
                Guarded();
                break;
            case 5:
                Record();
                break;
            default:
                Borrow();
                break;
        }
    }

    /// <summary>Takes a reference, uses it where there is one, and stores or releases it.</summary>
    private void Own(
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
        var before = (Kind[])_regs.Clone();
        _ownedCount++;
        use?.Invoke(owned);
        Block(2);
        if (Chance(3))
        {
            Stash(owned);
        }

        if (Chance(3) && (slotOff != NoSlot || Errs(4)))
        {
            Store(owned, release, slotOff, maps ?? HeldMaps);
        }
        else if (!Errs(40))
        {
            GiveBack(owned, release);
        }

        _ownedCount--;
        MergeRegs(before);
        Emit($"{end}:");
        Drop(owned);
    }

    private void Release(int owned, string release)
    {
        Emit($"r1 = r{owned}");
        if (release is "bpf_obj_drop_impl" or "bpf_percpu_obj_drop_impl"
            or "bpf_ringbuf_submit" or "bpf_ringbuf_discard")
        {
            Emit("r2 = 0");
        }

        EmitCall(release);
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
        Emit($"*(u32 *)(r10 {key}) = {_random.Next(4)}");
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

    private void NewItem()
    {
        Emit($"r1 = {_base.StructId("item")} ll");
        Emit("r2 = 0");
        EmitCall("bpf_obj_new_impl");
    }

    private void UseItem(int item)
    {
        Emit($"*(u64 *)(r{item} + {(Errs(30) ? 68 : Pick<int>(64, 72))}) = {_random.Next(99)}");
        if (Chance(2))
        {
            var to = AnyTarget();
            Emit($"r{to} = *(u64 *)(r{item} + 64)");
            _regs[to] = Kind.Scalar;
        }
    }

    private void UseMask(int mask)
    {
        Emit($"r1 = {_random.Next(4)}");
        Emit($"r2 = r{mask}");
        EmitCall(Pick<string>("bpf_cpumask_set_cpu", "bpf_cpumask_clear_cpu"));
        if (Chance(2))
        {
            Emit($"r1 = r{mask}");
            EmitCall("bpf_cpumask_first", returnsScalar: true);
        }
    }

    /// <summary>A value with a lock: its fields, its list and its tree.</summary>
    private void Guarded() => Lookup("guarded_array", value =>
    {
        switch (_random.Next(3))
        {
            case 0:
                Lock(value, () => Block(1));
                break;
            case 1:
                Own(NewItem, "bpf_obj_drop_impl", 24, item => PushBack(value, item));
                break;
            default:
                TakeOut(value);
                break;
        }
    });

    private void Lock(int value, Action inside)
    {
        Emit($"r1 = r{value}");
        EmitCall("bpf_spin_lock");
        _isLocked = true;
        ValueAccess(value, "guarded_array");
        inside();
        _isLocked = false;
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
        var less = $"fn_less{_functions.Count}";
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
            Release(item, "bpf_obj_drop_impl");
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
        Release(node, "bpf_obj_drop_impl");
        Emit($"{none}:");
        if (node != value)
        {
            Drop(node);
        }
    }

    /// <summary>A record of the ring buffer, as memory or as a dynptr.</summary>
    private void Record()
    {
        if (Chance(2))
        {
            DynptrRecord();
            return;
        }

        var bytes = _random.Next(1, 40);
        Own(
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
        int dynptr = Stack(16), buffer = Stack(16), bytes = _random.Next(1, 32);
        Emit("r1 = ring ll");
        Emit($"r2 = {bytes}");
        Emit("r3 = 0");
        EmitAddress(4, dynptr);
        EmitCall("bpf_ringbuf_reserve_dynptr", returnsScalar: true);
        Emit($"*(u64 *)(r10 {buffer}) = r{AnyScalar()}");
        Emit($"*(u64 *)(r10 {buffer + 8}) = {_random.Next(99)}");
        EmitAddress(1, dynptr);
        Emit($"r2 = {_random.Next(9)}");
        EmitAddress(3, buffer);
        Emit($"r4 = {_random.Next(1, 17)}");
        Emit("r5 = 0");
        EmitCall("bpf_dynptr_write", returnsScalar: true);
        if (Chance(2))
        {
            var end = NewLabel();
            EmitAddress(1, dynptr);
            Emit($"r2 = {_random.Next(5)}");
            Emit("r3 = 8");
            EmitCall("bpf_dynptr_data");
            Emit($"if r0 == 0 goto {end}");
            var to = AnyTarget(not: 0);
            Emit($"r{to} = *(u32 *)(r0 + {_random.Next(6)})");
            Drop(to);
            Emit($"{end}:");
        }

        EmitAddress(1, dynptr);
        Emit("r2 = 0");
        EmitCall(Pick<string>("bpf_ringbuf_submit_dynptr", "bpf_ringbuf_discard_dynptr"));
    }

    /// <summary>A pointer that a map holds, looked at inside an RCU section, perhaps acquired.</summary>
    private void Borrow() => Lookup(Pick<string>(HeldMaps), value =>
    {
        var task = Keep();
        if (task == 0)
        {
            return;
        }

        string end = NewLabel(), none = NewLabel();
        Emit($"r{task} = 0");
        Rcu(() =>
        {
            Emit($"r1 = *(u64 *)(r{value} + 8)");
            Emit($"if r1 == 0 goto {end}");
            if (Chance(2))
            {
                EmitCall("bpf_task_acquire");
                Emit($"r{task} = r0");
            }

            Emit($"{end}:");
        });
        Emit($"if r{task} == 0 goto {none}");
        Release(task, "bpf_task_release");
        Emit($"{none}:");
        Drop(task);
    });
}
