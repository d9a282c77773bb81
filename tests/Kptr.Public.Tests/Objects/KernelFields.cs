using Kptr.Btf;
using Kptr.Objects;

namespace Kptr.Public.Tests.Objects;

/// <summary>What a BPF program reads of a task, through the kernel's own types.</summary>
internal static class KernelFields
{
    /// <summary>Runs a program on behalf of a task that follows pointers to a 64-bit field and returns it.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="task">The task.</param>
    /// <param name="path">Members from <c>task_struct</c> on: dots go into structs, arrows through pointers.</param>
    internal static long Read(KernelModel kernel, TaskStruct task, string path)
    {
        var type = kernel.Spec.Types[kernel.Spec.Types.Find("task_struct", BtfKind.Struct)!.Value];
        List<string> text = ["call 158"]; // bpf_get_current_task_btf
        foreach (var step in path.Split("->"))
        {
            var offsetBytes = 0;
            foreach (var name in step.Split('.'))
            {
                var members = type.SkipModifiers();
                var member = Enumerable.Range(0, members.VLen).Select(members.Member).Single(m => m.Name == name);
                offsetBytes += member.OffsetBytes;
                type = type.Btf[member.TypeId];
            }

            text.Add($"r0 = *(u64 *)(r0 + {offsetBytes})");
            type = type.SkipModifiers() is { Kind: BtfKind.Ptr } pointer ? pointer.Ref : type;
        }

        using (kernel.Tasks.Run(task))
        {
            return ProgText.Load(kernel, string.Join('\n', [.. text, "exit"])).TestRun().ReturnValue;
        }
    }
}
