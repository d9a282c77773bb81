using Kptr.Diagnostics;
using Kptr.Maps;

namespace Kptr.KernelSelftests.Enact;

/// <summary>Tail calls: user space fills and empties the slots that programs jump through.</summary>
internal static class TailSuite
{
    private const int None = 3;

    internal static IEnumerable<EnactTest> All =>
    [
        new("tailcall1", "all slots", Slots),
        new("tailcall2", "chain", s => Steps(s, "tailcall2", new byte[128], (2, -1), (1, 2), (None, 0))),
        new("tailcall3", "count", s => Count(s, "tailcall3", 1, 0)),
        new("tailcall6", "count", s => Count(s, "tailcall6", 1, 0)),
        new("tailcall_bpf2bpf1", "subprogram", s => Steps(
            s, "tailcall_bpf2bpf1", Scene.PacketV4(), (1, -1), (0, 1), (2 * Scene.PacketV4().Length, 0))),
        new("tailcall_bpf2bpf2", "count", s => Count(s, "tailcall_bpf2bpf2", 1, 0)),
    ];

    private static ProgArrayMap Fill(BpfObject obj, Func<uint, uint> programOf)
    {
        var table = (ProgArrayMap)obj.Maps["jmp_table"];
        for (var i = 0u; i < table.Spec.MaxEntries; i++)
        {
            if (obj.Programs.TryGetValue($"classifier_{programOf(i)}", out var program))
            {
                Scene.Expect("jmp_table", table.Set(i, program));
            }
        }

        return table;
    }

    private static void Slots(Scene scene)
    {
        var obj = scene.Load("tailcall1");
        var packet = new byte[128];
        foreach (var isReversed in (bool[])[false, true])
        {
            var last = ((ProgArrayMap)obj.Maps["jmp_table"]).Spec.MaxEntries - 1;
            var table = Fill(obj, i => isReversed ? last - i : i);
            for (var i = 0; i <= last; i++)
            {
                scene.Run(obj, "entry", isReversed ? (int)last - i : i, packet);
                Scene.Expect("delete", table.DeleteElem(Scene.Bytes(i)));
            }

            scene.Run(obj, "entry", None, packet);
            Scene.Expect("delete of nothing", table.DeleteElem(Scene.Bytes(0)), Errno.ENOENT);
        }
    }

    /// <summary>Deletes a slot and runs, step by step; the first step deletes none.</summary>
    private static void Steps(
        Scene scene, string name, byte[] packet, params ReadOnlySpan<(int Returns, int Deleted)> steps)
    {
        var obj = scene.Load(name);
        var table = Fill(obj, i => i);
        foreach (var (returns, deleted) in steps)
        {
            if (deleted >= 0)
            {
                Scene.Expect("delete", table.DeleteElem(Scene.Bytes(deleted)));
            }

            scene.Run(obj, "entry", returns, packet);
        }
    }

    /// <summary>A program that calls itself stops after 33 calls.</summary>
    private static void Count(Scene scene, string name, int returns, int returnsAlone)
    {
        const int tailCallsMax = 33;
        var obj = scene.Load(name);
        var table = Fill(obj, i => i);
        scene.Run(obj, "entry", returns, new byte[128]);
        Scene.ExpectValue(obj, "count", tailCallsMax);
        Scene.Expect("delete", table.DeleteElem(Scene.Bytes(0)));
        scene.Run(obj, "entry", returnsAlone, new byte[128]);
    }
}
