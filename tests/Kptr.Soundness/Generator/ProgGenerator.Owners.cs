namespace Kptr.Soundness;

// Programs about owners: more kinds of references than the model runs, and more ways to give them back.
internal sealed partial class ProgGenerator
{
    private const int OwnerFragmentsMax = 9;

    /// <summary>No map has a place for such a reference.</summary>
    private const int NoSlot = 0;

    private static readonly string[] OwnerSections = [
        "tc", "tc", "syscall", "syscall", "tp_btf/task_newtask", "tp_btf/task_newtask", "cgroup_skb/egress", "xdp",
        "fentry/bpf_fentry_test1", "lsm/file_open", "lsm.s/file_open", "iter/task",
    ];

    private static readonly string[] KeptMaps = ["kept_array", "kept_hash"];
    private int _ownedCount;

    private bool IsTracing => _section.Contains('/', StringComparison.Ordinal)
        && !_section.StartsWith("cgroup", StringComparison.Ordinal);

    private bool HasContext => _regs[6] == Kind.Context;

    private bool TryOwnerFragment()
    {
        Action? fragment = _random.Next(44) switch
        {
            < 3 => OwnNetwork,
            < 6 => OwnCgroup,
            < 8 => OwnPercpu,
            < 10 => OwnTask,
            10 => OwnItem,
            11 => OwnKey,
            12 => OwnFile,
            13 => BorrowCrypto,
            < 16 => RcuSection,
            < 18 => PreemptSection,
            18 => Sleep,
            19 => TaskIterator,
            20 => CssIterator,
            21 => VmaIterator,
            22 => BitsIterator,
            23 => Timer,
            24 => Work,
            25 => Drain,
            26 => FindVma,
            27 => Throw,
            28 => MemoryDynptr,
            29 => PacketDynptr,
            30 => Storage,
            31 => BorrowPercpu,
            < 34 => Guarded,
            < 36 => HandOver,
            36 => Record,
            37 => Borrow,
            38 => CallFunction,
            _ => null,
        };
        if (fragment is null || (_isLocked && !Errs(20)))
        {
            return false;
        }

        fragment();
        return true;
    }

    /// <summary>Releases a reference: here, in a function, or on either way of a branch.</summary>
    private void GiveBack(int owned, string release)
    {
        if (!IsAboutOwners || Chance(2))
        {
            Release(owned, release);
        }
        else if (Chance(2))
        {
            var name = $"fn_ref{_functions.Count}";
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
            Emit($"if r{AnyScalar()} {Pick<string>(JumpSigns)} {Words.Imm(_random)} goto {other}");
            var before = (Kind[])_regs.Clone();
            Block(1);
            Release(owned, release);
            Emit($"goto {end}");
            Emit($"{other}:");
            _regs = (Kind[])before.Clone();
            Release(owned, release);
            Emit($"{end}:");
            MergeRegs(before);
        }
    }

    /// <summary>A reference that the network's lookups give, and what may be made of it.</summary>
    private void OwnNetwork()
    {
        if (!HasContext || (_section is not ("tc" or "xdp") && !Errs(20)))
        {
            return;
        }

        var lookup = Pick<string>("bpf_sk_lookup_tcp", "bpf_sk_lookup_udp", "bpf_skc_lookup_tcp");
        Own(
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
            "bpf_sk_release", NoSlot, UseSocket);
    }

    private void UseSocket(int socket)
    {
        var to = AnyTarget();
        if (Chance(2))
        {
            Emit($"r{to} = *(u32 *)(r{socket} + {Pick<int>(0, 4, 8, 44, 72)})");
            _regs[to] = Kind.Scalar;
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

    private void OwnCgroup() => Own(
        () => { Emit("r1 = 1"); EmitCall("bpf_cgroup_from_id"); }, "bpf_cgroup_release", 8,
        cgroup =>
        {
            switch (_random.Next(4))
            {
                case 0:
                    Own(
                        () =>
                        {
                            Emit($"r1 = r{cgroup}");
                            Emit($"r2 = {_random.Next(3)}");
                            EmitCall("bpf_cgroup_ancestor");
                        }, "bpf_cgroup_release", 8, null, KeptMaps);
                    break;
                case 1:
                    Own(() => { Emit($"r1 = r{cgroup}"); EmitCall("bpf_cgroup_acquire"); },
                        "bpf_cgroup_release", 8, null, KeptMaps);
                    break;
                case 2:
                    Css(cgroup);
                    break;
                default:
                    Peek(cgroup);
                    break;
            }
        }, KeptMaps);

    private void OwnTask() => Own(
        () => { Emit($"r1 = {_random.Next(1, 6)}"); EmitCall("bpf_task_from_pid"); }, "bpf_task_release", 8,
        task =>
        {
            switch (_random.Next(4))
            {
                case 0:
                    Own(() => { Emit($"r1 = r{task}"); EmitCall("bpf_task_acquire"); }, "bpf_task_release", 8, Peek);
                    break;
                case 1:
                    Own(() => { Emit($"r1 = r{task}"); Emit("r2 = 0"); EmitCall("bpf_task_get_cgroup1"); },
                        "bpf_cgroup_release", 8, null, KeptMaps);
                    break;
                case 2:
                    Vmas(() => Emit($"r2 = r{task}"));
                    break;
                default:
                    Peek(task);
                    break;
            }
        });

    private void OwnItem() => Own(NewItem, "bpf_obj_drop_impl", 32, item => Own(
        () => { Emit($"r1 = r{item}"); Emit("r2 = 0"); EmitCall("bpf_refcount_acquire_impl"); },
        "bpf_obj_drop_impl", 32, UseItem, KeptMaps, mayBeNull: false), KeptMaps);

    private void OwnPercpu() => Own(
        () => { Emit($"r1 = {_base.StructId("counters")} ll"); Emit("r2 = 0"); EmitCall("bpf_percpu_obj_new_impl"); },
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
    private void BorrowPercpu() => Lookup(Pick<string>(KeptMaps), value =>
    {
        var counters = Keep();
        if (counters != 0)
        {
            var end = NewLabel();
            Rcu(() =>
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

    private void OwnKey()
    {
        if (IsTracing || Errs(20))
        {
            Own(() => { Emit($"r1 = {_random.Next(2)}"); EmitCall("bpf_lookup_system_key"); },
                "bpf_key_put", NoSlot, null);
        }
    }

    private void OwnFile()
    {
        if (_section.StartsWith("lsm", StringComparison.Ordinal) || Errs(20))
        {
            Own(() => { EmitCall("bpf_get_current_task_btf"); Emit("r1 = r0"); EmitCall("bpf_get_task_exe_file"); },
                "bpf_put_file", NoSlot, Peek);
        }
    }

    /// <summary>
    /// An item that a list or tree takes over; what is left is a pointer that owns nothing, until the unlock.
    /// </summary>
    private void HandOver() => Lookup("guarded_array", value =>
    {
        var item = Keep();
        if (item == 0)
        {
            return;
        }

        var end = NewLabel();
        var less = $"fn_less{_functions.Count}";
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
            Release(item, "bpf_obj_drop_impl");
        }

        Emit($"{end}:");
        Drop(item);
        if (toTree)
        {
            Less(less);
        }
    });

    /// <summary>Reads some word of a kernel object, whatever its type makes of it.</summary>
    private void Peek(int of)
    {
        var to = AnyTarget();
        Emit(Chance(8)
            ? $"r{to} = *({Pick<string>("u32", "u64")} *)(r{of} + {8 * _random.Next(24)})"
            : $"r{to} = *(u64 *)(r{of} + 0)");
        _regs[to] = Kind.None;
    }

    /// <summary>The cryptographic context that a map holds, perhaps acquired.</summary>
    private void BorrowCrypto() => Lookup(Pick<string>(KeptMaps), value =>
    {
        string end = NewLabel(), none = NewLabel();
        var context = Keep();
        if (context == 0)
        {
            return;
        }

        Emit($"r{context} = 0");
        Rcu(() =>
        {
            Emit($"r1 = *(u64 *)(r{value} + {(Errs(9) == (_section == "syscall") ? 8 : 24)})");
            Emit($"if r1 == 0 goto {end}");
            EmitCall(_section == "syscall" ? "bpf_crypto_ctx_acquire" : "bpf_cgroup_acquire");
            Emit($"r{context} = r0");
            Emit($"{end}:");
        });
        Emit($"if r{context} == 0 goto {none}");
        Release(context, _section == "syscall" ? "bpf_crypto_ctx_release" : "bpf_cgroup_release");
        Emit($"{none}:");
        Drop(context);
    });
}
