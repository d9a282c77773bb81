using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Objects of a program's own types. Kernel: kernel/bpf/helpers.c, 6.12.</summary>
/// <remarks>
/// The verifier gives the kernel's functions a hidden argument with the type's special fields, which prototypes name up
/// to 7.0 (<c>_impl</c>). Here the type comes from the constant id, and for existing objects from the object itself.
/// </remarks>
internal static class ObjectKfuncs
{
    [Kfunc("bpf_obj_new_impl", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Hooks = KfuncHooks.Tracing | KfuncHooks.Tc | KfuncHooks.StructOps, Profiles = ProfileSet.Linux6_2,
        Prototype = "void *bpf_obj_new_impl(u64 local_type_id__k, void *meta__ign)")]
    [Kfunc("bpf_obj_new_impl", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "void *bpf_obj_new_impl(u64 local_type_id__k, void *meta__ign)")]
    [Kfunc("bpf_obj_new", KfuncFlags.Acquire | KfuncFlags.RetNull, Profiles = ProfileSet.Linux7_2,
        Prototype = "void *bpf_obj_new(u64 local_type_id__k)")]
    internal static KernelRef<AllocatedObject>? ObjNew(
        ProgContext ctx, ulong localTypeId, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        var type = LocalType(ctx, localTypeId);
        return ctx.Core.IsOutOfMemory(type.Name) ? null
            : KernelRef.Own(ctx.Core.NewObject(type, ctx.Host.Types.RecordOf(type.Btf, type.Id)), file, line);
    }

    [Kfunc("bpf_percpu_obj_new_impl", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "void *bpf_percpu_obj_new_impl(u64 local_type_id__k, void *meta__ign)")]
    [Kfunc("bpf_percpu_obj_new", KfuncFlags.Acquire | KfuncFlags.RetNull, Profiles = ProfileSet.Linux7_2,
        Prototype = "void *bpf_percpu_obj_new(u64 local_type_id__k)")]
    internal static KernelRef<AllocatedObject>? PercpuObjNew(
        ProgContext ctx, ulong localTypeId, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        var type = LocalType(ctx, localTypeId);
        return ctx.Core.IsOutOfMemory(type.Name) ? null
            : KernelRef.Own(ctx.Core.NewPercpuObject(type), file, line);
    }

    [Kfunc("bpf_obj_drop_impl", KfuncFlags.Release, Hooks = KfuncHooks.Tracing | KfuncHooks.Tc | KfuncHooks.StructOps,
        Profiles = ProfileSet.Linux6_2,
        Prototype = "void bpf_obj_drop_impl(void *p__alloc, void *meta__ign)")]
    [Kfunc("bpf_obj_drop_impl", KfuncFlags.Release,
        Prototype = "void bpf_obj_drop_impl(void *p__alloc, void *meta__ign)")]
    [Kfunc("bpf_obj_drop", KfuncFlags.Release, Profiles = ProfileSet.Linux7_2,
        Prototype = "void bpf_obj_drop(void *p__alloc)")]
    internal static void ObjDrop(
        [TakesOwnership] KernelRef<AllocatedObject> obj, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        obj.Release(file, line);
    }

    [Kfunc("bpf_percpu_obj_drop_impl", KfuncFlags.Release,
        Prototype = "void bpf_percpu_obj_drop_impl(void *p__alloc, void *meta__ign)")]
    [Kfunc("bpf_percpu_obj_drop", KfuncFlags.Release, Profiles = ProfileSet.Linux7_2,
        Prototype = "void bpf_percpu_obj_drop(void *p__alloc)")]
    internal static void PercpuObjDrop(
        [TakesOwnership] KernelRef<AllocatedObject> obj, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        obj.Release(file, line);
    }

    [Kfunc("bpf_refcount_acquire_impl", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Rcu,
        Prototype = "void *bpf_refcount_acquire_impl(void *p__refcounted_kptr, void *meta__ign)")]
    [Kfunc("bpf_refcount_acquire", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Rcu,
        Profiles = ProfileSet.Linux7_2,
        Prototype = "void *bpf_refcount_acquire(void *p__refcounted_kptr)")]
    internal static KernelRef<AllocatedObject>? RefcountAcquire(
        AllocatedObject obj, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        return obj.TryAcquire(file, line);
    }

    /// <summary>A CPU's copy of a per-CPU object; 0 for a CPU that is none.</summary>
    [Helper(HelperId.PerCpuPtr)]
    internal static ulong PerCpuPtr(ProgContext ctx, ulong percpu, uint cpu) =>
        cpu < (uint)ctx.Core.CpuCount ? ctx.ObjectAt<AllocatedObject>(percpu)?.CopyOf((int)cpu) ?? 0 : 0;

    [Helper(HelperId.ThisCpuPtr)]
    internal static ulong ThisCpuPtr(ProgContext ctx, ulong percpu) => PerCpuPtr(ctx, percpu, (uint)ctx.Cpu);

    private static BtfType LocalType(ProgContext ctx, ulong id) =>
        ctx.Prog.Btf is { } btf && id < (ulong)btf.TypeCount
        && btf[(int)id].SkipModifiers() is { Kind: BtfKind.Struct } type
            ? type
            : throw new ProgramFaultException(DiagCode.CallMisuse, $"type id {id} is no struct of the program");
}
