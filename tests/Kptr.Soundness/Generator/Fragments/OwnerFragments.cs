namespace Kptr.Soundness;

/// <summary>Kernel objects of all kinds: each taken as it is, used, and given back.</summary>
internal sealed class OwnerFragments(
    ProgText text,
    MemoryFragments memory,
    SectionFragments sections,
    ReferenceFragments references,
    IteratorFragments iterators,
    ListFragments lists)
    : FragmentWriter(text)
{
    private static readonly string[] KeptMaps = ["kept_array", "kept_hash"];

    public void FindTask() => references.Own(
        () => { Emit($"r1 = {Random.Next(1, 6)}"); EmitCall("bpf_task_from_pid"); }, "bpf_task_release", 8, null);

    public void AcquireTask() => references.Own(
        () => { EmitCall("bpf_get_current_task_btf"); Emit("r1 = r0"); EmitCall("bpf_task_acquire"); },
        "bpf_task_release", 8, null);

    public void OwnMask() =>
        references.Own(() => EmitCall("bpf_cpumask_create"), "bpf_cpumask_release", 16, UseMask);

    /// <summary>A reference that the network's lookups give, and what may be made of it.</summary>
    public void OwnNetwork()
    {
        if (!HasContext || (Around.Section is not ("tc" or "xdp") && !Errs(20)))
        {
            return;
        }

        var lookup = Pick<string>("bpf_sk_lookup_tcp", "bpf_sk_lookup_udp", "bpf_skc_lookup_tcp");
        references.Own(
            () =>
            {
                var tuple = Stack(16);
                Emit($"*(u64 *)(r10 {tuple}) = 0");
                Emit($"*(u64 *)(r10 {tuple + 8}) = 0");
                Emit("r1 = r6");
                EmitAddress(2, tuple);
                Emit($"r3 = {(Errs(30) ? 36 : 12)}");
                Emit("r4 = -1");
                Emit("r5 = 0");
                EmitCall(lookup);
            },
            "bpf_sk_release", ReferenceFragments.NoSlot, UseSocket);
    }

    private void UseSocket(int socket)
    {
        var to = AnyTarget();
        if (Chance(2))
        {
            Emit($"r{to} = *(u32 *)(r{socket} + {Pick<int>(0, 4, 8, 44, 72)})");
            Regs[to] = RegKind.Scalar;
            return;
        }

        var end = NewLabel();
        Emit($"r1 = r{socket}");
        EmitCall(Pick<string>("bpf_tcp_sock", "bpf_sk_fullsock", "bpf_get_listener_sock", "bpf_skc_to_tcp_sock",
            "bpf_skc_to_udp6_sock"));
        Emit($"if r0 == 0 goto {end}");
        Emit($"r1 = *(u32 *)(r0 + {Pick<int>(0, 4, 8, 16)})");
        Emit($"{end}:");
    }

    public void OwnCgroup() => references.Own(
        () => { Emit("r1 = 1"); EmitCall("bpf_cgroup_from_id"); }, "bpf_cgroup_release", 8,
        cgroup =>
        {
            switch (Random.Next(4))
            {
                case 0:
                    references.Own(
                        () =>
                        {
                            Emit($"r1 = r{cgroup}");
                            Emit($"r2 = {Random.Next(3)}");
                            EmitCall("bpf_cgroup_ancestor");
                        }, "bpf_cgroup_release", 8, null, KeptMaps);
                    break;
                case 1:
                    references.Own(() => { Emit($"r1 = r{cgroup}"); EmitCall("bpf_cgroup_acquire"); },
                        "bpf_cgroup_release", 8, null, KeptMaps);
                    break;
                case 2:
                    iterators.Css(cgroup);
                    break;
                default:
                    references.Peek(cgroup);
                    break;
            }
        }, KeptMaps);

    public void OwnTask() => references.Own(
        () => { Emit($"r1 = {Random.Next(1, 6)}"); EmitCall("bpf_task_from_pid"); }, "bpf_task_release", 8,
        task =>
        {
            switch (Random.Next(4))
            {
                case 0:
                    references.Own(() => { Emit($"r1 = r{task}"); EmitCall("bpf_task_acquire"); },
                        "bpf_task_release", 8, references.Peek);
                    break;
                case 1:
                    references.Own(() => { Emit($"r1 = r{task}"); Emit("r2 = 0"); EmitCall("bpf_task_get_cgroup1"); },
                        "bpf_cgroup_release", 8, null, KeptMaps);
                    break;
                case 2:
                    iterators.Vmas(() => Emit($"r2 = r{task}"));
                    break;
                default:
                    references.Peek(task);
                    break;
            }
        });

    public void OwnItem() => references.Own(lists.NewItem, "bpf_obj_drop_impl", 32, item => references.Own(
        () => { Emit($"r1 = r{item}"); Emit("r2 = 0"); EmitCall("bpf_refcount_acquire_impl"); },
        "bpf_obj_drop_impl", 32, lists.UseItem, KeptMaps, mayBeNull: false), KeptMaps);

    public void OwnPercpu() => references.Own(
        () =>
        {
            Emit($"r1 = {Text.Base.StructId("counters")} ll");
            Emit("r2 = 0");
            EmitCall("bpf_percpu_obj_new_impl");
        },
        "bpf_percpu_obj_drop_impl", 16,
        counters =>
        {
            if (Errs(6))
            {
                var none = NewLabel();
                Count(counters, none);
                Emit($"{none}:");
            }
        }, KeptMaps);

    /// <summary>The counters that a map holds, of this or of some CPU.</summary>
    public void BorrowPercpu() => memory.Lookup(Pick<string>(KeptMaps), value =>
    {
        var counters = Keep();
        if (counters != 0)
        {
            var end = NewLabel();
            sections.Rcu(() =>
            {
                Emit($"r{counters} = *(u64 *)(r{value} + 16)");
                Emit($"if r{counters} == 0 goto {end}");
                Count(counters, end);
                Emit($"{end}:");
            });
            Drop(counters);
        }
    });

    private void Count(int counters, string none)
    {
        Emit($"r1 = r{counters}");
        if (Chance(2))
        {
            EmitCall("bpf_this_cpu_ptr");
        }
        else
        {
            Emit("r2 = 0");
            EmitCall("bpf_per_cpu_ptr");
            Emit($"if r0 == 0 goto {none}");
        }

        Emit($"r1 = *(u64 *)(r0 + {Pick<int>(0, 8)})");
        Emit("r1 += 1");
        Emit($"*(u64 *)(r0 + {(Errs(30) ? 16 : 8)}) = r1");
    }

    public void OwnKey()
    {
        if (Around.IsTracing || Errs(20))
        {
            references.Own(() => { Emit($"r1 = {Random.Next(2)}"); EmitCall("bpf_lookup_system_key"); },
                "bpf_key_put", ReferenceFragments.NoSlot, null);
        }
    }

    public void OwnFile()
    {
        if (Around.Section.StartsWith("lsm", StringComparison.Ordinal) || Errs(20))
        {
            references.Own(
                () => { EmitCall("bpf_get_current_task_btf"); Emit("r1 = r0"); EmitCall("bpf_get_task_exe_file"); },
                "bpf_put_file", ReferenceFragments.NoSlot, references.Peek);
        }
    }

    private void UseMask(int mask)
    {
        Emit($"r1 = {Random.Next(4)}");
        Emit($"r2 = r{mask}");
        EmitCall(Pick<string>("bpf_cpumask_set_cpu", "bpf_cpumask_clear_cpu"));
        if (Chance(2))
        {
            Emit($"r1 = r{mask}");
            EmitCall("bpf_cpumask_first", returnsScalar: true);
        }
    }

    /// <summary>A pointer that a map holds, looked at inside an RCU section, perhaps acquired.</summary>
    public void Borrow() => memory.Lookup(Pick<string>(MemoryFragments.HeldMaps), value =>
    {
        var task = Keep();
        if (task == 0)
        {
            return;
        }

        string end = NewLabel(), none = NewLabel();
        Emit($"r{task} = 0");
        sections.Rcu(() =>
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
        references.Release(task, "bpf_task_release");
        Emit($"{none}:");
        Drop(task);
    });

    /// <summary>The cryptographic context that a map holds, perhaps acquired.</summary>
    public void BorrowCrypto() => memory.Lookup(Pick<string>(KeptMaps), value =>
    {
        string end = NewLabel(), none = NewLabel();
        var context = Keep();
        if (context == 0)
        {
            return;
        }

        Emit($"r{context} = 0");
        sections.Rcu(() =>
        {
            Emit($"r1 = *(u64 *)(r{value} + {(Errs(9) == (Around.Section == "syscall") ? 8 : 24)})");
            Emit($"if r1 == 0 goto {end}");
            EmitCall(Around.Section == "syscall" ? "bpf_crypto_ctx_acquire" : "bpf_cgroup_acquire");
            Emit($"r{context} = r0");
            Emit($"{end}:");
        });
        Emit($"if r{context} == 0 goto {none}");
        references.Release(context, Around.Section == "syscall" ? "bpf_crypto_ctx_release" : "bpf_cgroup_release");
        Emit($"{none}:");
        Drop(context);
    });

    /// <summary>The value that belongs to a task, and a reference in it.</summary>
    public void Storage()
    {
        var value = Around.IsTracing || Errs(9) ? Keep() : 0;
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
        var before = (RegKind[])Regs.Clone();
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
