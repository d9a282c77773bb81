using System.Runtime.CompilerServices;
using System.Text;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>References on files. Kernel: fs/bpf_fs_kfuncs.c, 6.12.</summary>
[KfuncSet(KfuncHooks.LsmOnly)]
internal static class FileKfuncs
{
    [Kfunc("bpf_get_task_exe_file", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.TrustedArgs,
        Prototype = "struct file *bpf_get_task_exe_file(struct task_struct *task)")]
    internal static KernelRef<KernelFile>? GetTaskExeFile(
        TaskStruct task, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        (task.Flags & TaskFlags.Kthread) != 0 ? null : task.Mm?.ExeFile?.TryAcquire(file, line);

    [Kfunc("bpf_put_file", KfuncFlags.Release,
        Prototype = "void bpf_put_file(struct file *file)")]
    internal static void PutFile(
        [TakesOwnership] KernelRef<KernelFile> target, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        target.Release(file, line);

    /// <summary>The same as a helper, of any <c>struct path</c> in an open file; no room gives 0.</summary>
    [Helper(HelperId.DPath)]
    internal static int DPath(ProgContext ctx, ulong path, ulong buffer, uint size) =>
        size == 0 ? 0 : PathDPath(ctx, path, buffer, size);

    /// <summary>The path of an open file, as text with a zero byte.</summary>
    /// <returns>Bytes written, or <see cref="Errno.ENAMETOOLONG"/> where it does not fit.</returns>
    [Kfunc("bpf_path_d_path", KfuncFlags.TrustedArgs,
        Prototype = "int bpf_path_d_path(struct path *path, char *buf, size_t buf__sz)")]
    internal static int PathDPath(ProgContext ctx, ulong path, ulong buffer, ulong size)
    {
        if (size == 0)
        {
            return (int)Errno.EINVAL;
        }

        if (!ctx.Core.Heap.TryFindRegion(path, sizeof(ulong), out var region) || region.Object is not KernelFile file)
        {
            throw new ProgramFaultException(DiagCode.CallBadObject, $"{path:x} is in no open file");
        }

        var text = Encoding.UTF8.GetBytes(file.Path + "\0");
        if ((ulong)text.Length > size)
        {
            return (int)Errno.ENAMETOOLONG;
        }

        text.CopyTo(ctx.Memory(buffer, (int)size));
        return text.Length;
    }
}
