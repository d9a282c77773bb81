using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.KernelSelftests.Enact;

/// <summary>Maps that user space fills before programs run, and arenas that both follow pointers in.</summary>
internal static class MapSuite
{
    private const int Seed = 11;

    internal static IEnumerable<EnactTest> All =>
    [
        new("for_each_hash_map_elem", "hash_map", ForEachOfHash),
        new("for_each_array_map_elem", "array_map", ForEachOfArray),
        new("for_each_map_elem_write_key", "load", s => TaskSuite.Refused(() => s.Load("for_each_map_elem_write_key"))),
        new("for_each_multi_maps", "multi_maps", ForEachOfEither),
        new("bloom_filter_map", "inner_map", s => Bloom(s, "inner_map")),
        new("bloom_filter_map", "check_bloom", s => Bloom(s, "check_bloom")),
        new("test_queue_map", "queue", s => PushPop(s, "test_queue_map", isStack: false)),
        new("test_stack_map", "stack", s => PushPop(s, "test_stack_map", isStack: true)),
        new("arena_htab", "llvm", s => ArenaTable(s, "arena_htab", "arena_htab_llvm")),
        new("arena_htab_asm", "asm", s => ArenaTable(s, "arena_htab_asm", "arena_htab_asm")),
        new("arena_list", "1", s => ArenaList(s, 1)),
        new("arena_list", "1000", s => ArenaList(s, 1000)),
        new("arena_atomics", "add", s => Atomics(s, "add", ("add64_value", 3), ("add64_result", 1),
            ("add32_value", 3), ("add32_result", 1), ("add_stack_value_copy", 3), ("add_stack_result", 1),
            ("add_noreturn_value", 3))),
        new("arena_atomics", "sub", s => Atomics(s, "sub", ("sub64_value", -1), ("sub64_result", 1),
            ("sub32_value", -1), ("sub32_result", 1), ("sub_stack_value_copy", -1), ("sub_stack_result", 1),
            ("sub_noreturn_value", -1))),
        new("arena_atomics", "and", s => Atomics(s, "and", ("and64_value", 0x10L << 32), ("and32_value", 0x10))),
        new("arena_atomics", "or", s => Atomics(s, "or", ("or64_value", 0x111L << 32), ("or32_value", 0x111))),
        new("arena_atomics", "xor", s => Atomics(s, "xor", ("xor64_value", 0x101L << 32), ("xor32_value", 0x101))),
        new("arena_atomics", "cmpxchg", s => Atomics(s, "cmpxchg", ("cmpxchg64_value", 2),
            ("cmpxchg64_result_fail", 1), ("cmpxchg64_result_succeed", 1), ("cmpxchg32_value", 2),
            ("cmpxchg32_result_fail", 1), ("cmpxchg32_result_succeed", 1))),
        new("arena_atomics", "xchg", s => Atomics(s, "xchg", ("xchg64_value", 2), ("xchg64_result", 1),
            ("xchg32_value", 2), ("xchg32_result", 1))),
        new("arena_atomics", "uaf", s => Atomics(s, "uaf", ("uaf_recovery_fails", 0))),
    ];

    /// <summary>Elements from a key on whose values are 1, 2, 3...</summary>
    private static long Fill(BpfMap map, int firstKey)
    {
        for (var i = 0; i < map.Spec.MaxEntries; i++)
        {
            Scene.Expect(map.Name, map.UpdateElem(Scene.Bytes(firstKey + i), Scene.Bytes(i + 1L)));
        }

        return map.Spec.MaxEntries * (map.Spec.MaxEntries + 1L) / 2;
    }

    private static void FillCpus(Scene scene, BpfMap map, int key) => Scene.Expect(map.Name, map.UpdateElem(
        Scene.Bytes(key), Scene.Bytes<long>([.. Enumerable.Range(1, scene.CpuCount).Select(i => (long)i)])));

    private static void ForEachOfHash(Scene scene)
    {
        var obj = scene.Load("for_each_hash_map_elem");
        Fill(obj.Maps["hashmap"], firstKey: 0);
        FillCpus(scene, obj.Maps["percpu_map"], key: 1);
        scene.Run(obj, "test_pkt_access");
        Scene.ExpectValue(obj, "hashmap_output", 4);
        Scene.ExpectValue(obj, "hashmap_elems", obj.Maps["hashmap"].Spec.MaxEntries);
        Scene.Expect("hashmap lookup", obj.Maps["hashmap"].LookupElem(Scene.Bytes(1), new byte[8]), Errno.ENOENT);
        Scene.ExpectValue(obj, "percpu_called", 1);
        Scene.ExpectValue(obj, "percpu_map_elems", 1);
        Scene.ExpectValue(obj, "percpu_key", 1);
        Scene.ExpectValue(obj, "percpu_val", Scene.Get<uint>(obj, "cpu") + 1);
        Scene.ExpectValue(obj, "percpu_output", 100);
    }

    private static void ForEachOfArray(Scene scene)
    {
        var obj = scene.Load("for_each_array_map_elem");
        var all = Fill(obj.Maps["arraymap"], firstKey: 0);
        FillCpus(scene, obj.Maps["percpu_map"], key: 0);
        scene.Run(obj, "test_pkt_access");
        Scene.ExpectValue(obj, "arraymap_output", all - obj.Maps["arraymap"].Spec.MaxEntries);
        Scene.ExpectValue(obj, "percpu_val", Scene.Get<uint>(obj, "cpu") + 1);
    }

    private static void ForEachOfEither(Scene scene)
    {
        var obj = scene.Load("for_each_multi_maps");
        var ofArray = Fill(obj.Maps["arraymap"], firstKey: 0);
        var ofHash = Fill(obj.Maps["hashmap"], firstKey: 100);
        foreach (var (useArray, total) in ((int, long)[])[(1, ofArray), (0, ofHash)])
        {
            obj.Variables["data_output"].SetBytes([]);
            obj.Variables["use_array"].SetBytes(Scene.Bytes(useArray));
            scene.Run(obj, "test_pkt_access");
            Scene.ExpectValue(obj, "data_output", total);
        }
    }

    private static void Bloom(Scene scene, string program)
    {
        var random = new Random(Seed);
        var obj = scene.Load("bloom_filter_map");
        var values = new byte[obj.Maps["map_random_data"].Spec.MaxEntries][];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = Scene.Bytes(random.Next());
            Scene.Expect("map_random_data", obj.Maps["map_random_data"].UpdateElem(Scene.Bytes(i), values[i]));
            Scene.Expect("map_bloom", obj.Maps["map_bloom"].UpdateElem([], values[i]));
        }

        using var inner = MapFactory.Create(scene.Kernel, new("inner", BpfMapType.BloomFilter)
        {
            ValueSize = sizeof(int), MaxEntries = (uint)values.Length,
        });
        foreach (var value in values)
        {
            Scene.Expect("inner", inner.UpdateElem([], value));
        }

        if (program == "inner_map")
        {
            Scene.Expect("outer_map", obj.Maps["outer_map"].UpdateElem(new byte[4], Scene.Bytes(inner.Id)));
        }

        scene.Attach(obj, program);
        scene.SysCall("getpgid");
        Scene.ExpectValue(obj, "error", 0);
        Scene.Expect(obj.Programs[program].RunCount == 1, $"{program} did not run");
        if (program == "inner_map")
        {
            Scene.Expect("outer_map", obj.Maps["outer_map"].DeleteElem(new byte[4]));
        }
    }

    // The program pops a number for the packet's destination and pushes its source, which is five times that.
    private static void PushPop(Scene scene, string name, bool isStack)
    {
        const int count = 32, sourceAt = 26, destinationAt = 30, shot = 2;
        var obj = scene.Load(name);
        var random = new Random(Seed);
        var values = Enumerable.Range(0, count).Select(_ => (uint)random.Next()).ToArray();
        foreach (var value in values)
        {
            Scene.Expect("map_in", obj.Maps["map_in"].UpdateElem([], Scene.Bytes(value)));
        }

        var popped = isStack ? values.Reverse().ToArray() : values;
        var program = obj.Programs.Values.Single();
        foreach (var value in popped)
        {
            var packet = Scene.PacketV4();
            BinaryPrimitives.WriteUInt32LittleEndian(packet.AsSpan(sourceAt), unchecked(value * 5));
            var output = program.TestRun(new TestInput { Packet = packet });
            Scene.Expect("returns", output.ReturnValue, 0);
            Scene.Expect("bytes", output.Packet.Length, packet.Length);
            Scene.Expect("daddr", BinaryPrimitives.ReadUInt32LittleEndian(output.Packet.Span[destinationAt..]), value);
        }

        scene.Run(obj, program.Name, shot);
        foreach (var value in isStack ? popped.Reverse() : popped)
        {
            var pushed = new byte[sizeof(uint)];
            Scene.Expect("map_out", obj.Maps["map_out"].LookupAndDeleteElem([], pushed));
            Scene.Expect("map_out", BitConverter.ToUInt32(pushed), unchecked(value * 5));
        }
    }

    private static void ArenaTable(Scene scene, string name, string program)
    {
        const int keyAt = 4, valueAt = 8, nodeAt = 16;
        var obj = scene.Load(name);
        var arena = obj.Maps.Values.OfType<ArenaMap>().Single();
        arena.Set(arena.UserVmStart, 0x55aa);
        scene.Run(obj, program);
        var table = Scene.Get<ulong>(obj, "htab_for_user");
        var (buckets, count) = (arena.Get<ulong>(table), arena.Get<int>(table + sizeof(ulong)));
        Scene.Expect(buckets != 0, "no buckets");
        for (var key = 0; key < 16; key += 4)
        {
            var node = arena.Get<ulong>(buckets + ((ulong)(key & (count - 1)) * sizeof(ulong)));
            while (node != 0 && arena.Get<int>(node - nodeAt + keyAt) != key)
            {
                node = arena.Get<ulong>(node);
            }

            Scene.Expect(node != 0, $"key {key} is not there");
            Scene.Expect($"value of {key}", arena.Get<int>(node - nodeAt + valueAt), key);
        }
    }

    private static void ArenaList(Scene scene, int count)
    {
        const int valueAt = 16;
        var obj = scene.Load("arena_list");
        var arena = obj.Maps.Values.OfType<ArenaMap>().Single();
        var sum = (long)count * (count - 1) / 2;
        obj.Variables["cnt"].SetBytes(Scene.Bytes(count));
        scene.Run(obj, "arena_list_add");
        Scene.Expect("sum of elements", Sum(), sum);
        Scene.ExpectValue(obj, "arena_sum", sum);
        Scene.ExpectValue(obj, "test_val", count + 1);
        scene.Run(obj, "arena_list_del");
        Scene.Expect("sum after the deletes", Sum(), 0);
        Scene.ExpectValue(obj, "list_sum", sum);
        Scene.ExpectValue(obj, "arena_sum", sum);

        long Sum()
        {
            var total = 0L;
            for (var at = arena.Get<ulong>(Scene.Get<ulong>(obj, "list_head")); at != 0; at = arena.Get<ulong>(at))
            {
                total += arena.Get<long>(at + valueAt);
            }

            return total;
        }
    }

    private static void Atomics(
        Scene scene, string program, params ReadOnlySpan<(string Variable, long Value)> expected)
    {
        var obj = scene.Load("arena_atomics");
        Scene.Set(obj, "pid", scene.Me.Pid);
        scene.Run(obj, program);
        foreach (var (variable, value) in expected)
        {
            Scene.ExpectValue(obj, variable, value);
        }
    }
}
