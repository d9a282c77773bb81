namespace Kptr.KernelSelftests.Enact;

/// <summary>Kptrs, lists and trees in maps: programs put, user space updates and deletes, counts fall.</summary>
internal static class KptrSuite
{
    private static readonly (string Map, bool IsUpdate)[] s_falls =
    [
        ("array_map", true), ("pcpu_array_map", true), ("hash_map", false), ("pcpu_hash_map", false),
        ("hash_malloc_map", false), ("pcpu_hash_malloc_map", false), ("lru_hash_map", false),
        ("lru_pcpu_hash_map", false),
    ];

    private static readonly (string Program, string Map)[] s_single =
    [
        ("map_list_push_pop", "array_map"), ("inner_map_list_push_pop", "inner_map"),
        ("global_list_push_pop", ".bss.A"), ("global_list_push_pop_nested", ".bss.A"),
        ("global_list_array_push_pop", ".bss.A"),
    ];

    private static readonly (string Program, string Map)[] s_multiple =
    [
        ("map_list_push_pop_multiple", "array_map"), ("inner_map_list_push_pop_multiple", "inner_map"),
        ("global_list_push_pop_multiple", ".bss.A"),
    ];

    private static readonly (string Program, string Map)[] s_nested =
    [
        ("map_list_in_list", "array_map"), ("inner_map_list_in_list", "inner_map"),
        ("global_list_in_list", ".bss.A"),
    ];

    private static readonly string[] s_allocators =
    [
        "test_batch_alloc_free", "test_free_through_map_free", "test_batch_percpu_alloc_free",
        "test_percpu_free_through_map_free",
    ];

    internal static IEnumerable<EnactTest> All =>
    [
        new("map_kptr", "success-map", MapKptr),
        new("local_kptr_stash", "simple", s => Stash(s, ("stash_rb_nodes", 0))),
        new("local_kptr_stash", "plain", s => Stash(s, ("stash_plain", 0))),
        new("local_kptr_stash", "local_with_root", s => Stash(s, ("stash_local_with_root", 0))),
        new("local_kptr_stash", "unstash", s => Stash(s, ("stash_rb_nodes", 0), ("unstash_rb_node", 42))),
        new("local_kptr_stash", "refcount_acquire_without_unstash", s => Stash(s,
            ("refcount_acquire_without_unstash", 2), ("stash_refcounted_node", 0),
            ("refcount_acquire_without_unstash", 42))),
        new("refcounted_kptr", "wrong_owner", WrongOwner),
        .. ListTests(stays: false),
        .. ListTests(stays: true),
        new("rbtree", "add_nodes", s => Tree(s, "rbtree_add_nodes", ("less_callback_ran", 1))),
        new("rbtree", "add_nodes_nested", s => Tree(s, "rbtree_add_nodes_nested", ("less_callback_ran", 1))),
        new("rbtree", "add_and_remove", s => Tree(s, "rbtree_add_and_remove", ("removed_key", 5))),
        new("rbtree", "add_and_remove_array", s => Tree(s, "rbtree_add_and_remove_array")),
        new("rbtree", "first_and_remove", s => FirstData(
            Tree(s, "rbtree_first_and_remove", ("removed_key", 1)), 2, 4)),
        new("rbtree", "api_release_aliasing", s => FirstData(Tree(s, "rbtree_api_release_aliasing"), 42, -1)),
        new("rbtree_btf_fail__wrong_node_type", "load", s => TaskSuite.Refused(
            () => s.Load("rbtree_btf_fail__wrong_node_type"))),
        new("rbtree_btf_fail__add_wrong_type", "load", s => TaskSuite.Refused(
            () => s.Load("rbtree_btf_fail__add_wrong_type"))),
        new("kptr_xchg_inline", "runs", s => s.Run(s.Load("kptr_xchg_inline"), "kptr_xchg_inline")),
        .. s_allocators.Select(p => new EnactTest("test_bpf_ma", p, s => Allocator(s, p))),
    ];

    // Three times, as the test does: what the map's end gives back, what deletes give back, and both again.
    private static void MapKptr(Scene scene)
    {
        foreach (var onlyRuns in (bool[])[true, false, true])
        {
            var obj = scene.Load("map_kptr");
            foreach (var program in (string[])[
                "test_map_kptr_ref1", "test_map_kptr_ref2", "test_ls_map_kptr_ref1", "test_ls_map_kptr_ref2"])
            {
                scene.Run(obj, program);
            }

            if (!onlyRuns)
            {
                Fall(scene, obj);
            }

            scene.Close(obj);
            Scene.Expect("count after the maps' end",
                Testmod.TestModule.In(scene.Kernel).RefObject.Count.Value, 1);
        }
    }

    private static void Fall(Scene scene, BpfObject obj)
    {
        foreach (var (name, isUpdate) in s_falls)
        {
            var map = obj.Maps[name];
            Scene.Expect(name, isUpdate
                ? map.UpdateElem(new byte[4], new byte[map.UserValueSize]) : map.DeleteElem(new byte[4]));
            Scene.Set(obj, "ref", Scene.Get<int>(obj, "ref") - 1);
            scene.Run(obj, "test_map_kptr_ref3");
        }

        scene.Run(obj, "test_ls_map_kptr_ref_del");
    }

    private static void Stash(Scene scene, params ReadOnlySpan<(string Program, int Returns)> runs)
    {
        var obj = scene.Load("local_kptr_stash");
        foreach (var (program, returns) in runs)
        {
            scene.Run(obj, program, returns);
        }
    }

    private static void WrongOwner(Scene scene)
    {
        var obj = scene.Load("refcounted_kptr");
        scene.Run(obj, "rbtree_wrong_owner_remove_fail_a1");
        scene.Run(obj, "rbtree_wrong_owner_remove_fail_b");
        scene.Run(obj, "rbtree_wrong_owner_remove_fail_a2");
    }

    private static IEnumerable<EnactTest> ListTests(bool stays)
    {
        var end = stays ? ", left in the map" : "";
        yield return new("linked_list", "push_pop" + end, s => Lists(s, s_single, stays));
        yield return new("linked_list", "push_pop_mult" + end, s => Lists(s, s_multiple, stays));
        yield return new("linked_list", "list_in_list" + end, s => Lists(s, s_nested, stays));
    }

    private static void Lists(Scene scene, (string Program, string Map)[] steps, bool stays)
    {
        var obj = scene.Load("linked_list");
        foreach (var (program, name) in steps)
        {
            scene.Run(obj, program);
            if (!stays)
            {
                var map = obj.Maps[name];
                var value = new byte[map.UserValueSize];
                Array.Fill(value, (byte)0xff);
                Scene.Expect(name, map.UpdateElem(new byte[4], value));
            }
        }
    }

    private static BpfObject Tree(
        Scene scene, string program, params ReadOnlySpan<(string Variable, long Value)> expected)
    {
        var obj = scene.Load("rbtree");
        scene.Run(obj, program);
        foreach (var (variable, value) in expected)
        {
            Scene.ExpectValue(obj, variable, value);
        }

        return obj;
    }

    private static void FirstData(BpfObject obj, long first, long second)
    {
        var bytes = obj.Variables["first_data"].GetBytes();
        Scene.Expect("first_data[0]", BitConverter.ToInt64(bytes), first);
        Scene.Expect("first_data[1]", BitConverter.ToInt64(bytes, sizeof(long)), second);
    }

    private static void Allocator(Scene scene, string program)
    {
        var obj = scene.LoadOnly("test_bpf_ma", o =>
        {
            SetTypes(o, "data_sizes", "data_btf_ids", "bin_data_");
            SetTypes(o, "percpu_data_sizes", "percpu_data_btf_ids", "percpu_bin_data_");
        }, p => p.Name == program);
        scene.AttachAll(obj);
        Scene.Set(obj, "pid", scene.Me.Pid);
        scene.SysCall("nanosleep");
        Scene.ExpectValue(obj, "err", 0);
    }

    private static void SetTypes(BpfObject obj, string sizes, string ids, string prefix)
    {
        var bytes = obj.Variables[sizes].GetBytes();
        var types = Enumerable.Range(0, bytes.Length / sizeof(int))
            .Select(i => obj.Spec.Btf!.FindId($"{prefix}{BitConverter.ToInt32(bytes, i * sizeof(int))}",
                Btf.BtfKind.Struct)).ToArray();
        obj.Variables[ids].SetBytes(Scene.Bytes<int>(types));
    }
}
