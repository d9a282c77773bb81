namespace Kptr.Specs;

/// <content>Special fields, dynptrs and callbacks.</content>
internal static partial class HelperTable
{
    private const string ObjectTable = """
        kptr_xchg(kptr_dst, release btf?) -> btf?
        spin_lock(lock) -> void
        spin_unlock(lock) -> void
        timer_init(timer, map, any) | gpl
        timer_set_callback(timer, func) | gpl
        timer_start(timer, any, any) | gpl
        timer_cancel(timer) | gpl
        loop(scalar, func, stack?, any)
        find_vma(btf:task_struct, any, func, stack?, any)

        dynptr_from_mem(out mem, size0, any, local out dynptr)
        dynptr_read(out mem, size0, ro dynptr, any, any)
        dynptr_write(ro dynptr, any, ro mem, size0, any)
        dynptr_data(ro dynptr, any, alloc_size0) -> mem?

        per_cpu_ptr(percpu, any) -> mem_or_btf?
        this_cpu_ptr(percpu) -> mem_or_btf
        """;
}
