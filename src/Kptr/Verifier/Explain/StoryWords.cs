using System.Globalization;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <summary>Words for what calls and branches do.</summary>
internal static class StoryWords
{
    /// <summary>What holds on the way a branch took: <c>r0 != 0</c>.</summary>
    public static string Condition(in BpfInsn insn, bool jumps)
    {
        var is32 = insn.Class == InsnClass.Jmp32;
        var left = Reg(insn.Dst, is32);
        var right = (insn.Opcode & BpfOp.X) != 0
            ? Reg(insn.Src, is32)
            : insn.Imm.ToString(CultureInfo.InvariantCulture);
        return (insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Jset => $"{left} & {right} is {(jumps ? "not 0" : "0")}",
            BpfOp.Jcond => jumps ? "the loop has ended" : "the loop may go on",
            var op => $"{left} {Operator((byte)op, jumps)} {right}",
        };
    }

    /// <summary>What a call that takes a reference does.</summary>
    public static string Takes(string callee, bool isTheOne)
    {
        var what = isTheOne ? "the reference" : "a reference";
        var into = isTheOne ? ", into r0" : "";
        return callee switch
        {
            "bpf_kptr_xchg" => $"bpf_kptr_xchg takes {what} out of the map{into}",
            "bpf_obj_new_impl" or "bpf_percpu_obj_new_impl" or "bpf_obj_new" or "bpf_percpu_obj_new" =>
                $"{callee} makes an object and takes {what} to it{into}",
            _ when callee.StartsWith("bpf_iter_", StringComparison.Ordinal) =>
                $"{callee} opens the iterator, which is {what}",
            _ when IsOnStack(callee) => $"{callee} takes {what}, into the dynptr",
            _ => $"{callee} takes {what}{into}",
        };
    }

    /// <summary>
    /// Whether what the call takes or gives back is in an object on the stack, and not in a register.
    /// </summary>
    public static bool IsOnStack(string callee) =>
        callee.StartsWith("bpf_iter_", StringComparison.Ordinal)
        || callee.EndsWith("_dynptr", StringComparison.Ordinal);

    /// <summary>What a call that ends the program's ownership does.</summary>
    public static string Gives(string callee) => callee switch
    {
        "bpf_kptr_xchg" => "bpf_kptr_xchg moves the reference into the map",
        _ when callee.Contains("_push_", StringComparison.Ordinal) => $"{callee} gives the reference to the list",
        "bpf_rbtree_add_impl" or "bpf_rbtree_add" => $"{callee} gives the reference to the tree",
        _ when callee.Contains("_submit", StringComparison.Ordinal) => $"{callee} hands the record to the reader",
        _ when callee.StartsWith("bpf_iter_", StringComparison.Ordinal) => $"{callee} ends the iterator",
        _ => $"{callee} gives the reference back",
    };

    /// <summary>Calls whose result points into what their first argument points to, and dies with it.</summary>
    public static bool Derives(string callee) => callee is "bpf_tcp_sock" or "bpf_sk_fullsock" or "bpf_dynptr_data"
        || callee.StartsWith("bpf_skc_to_", StringComparison.Ordinal)
        || callee.StartsWith("bpf_dynptr_slice", StringComparison.Ordinal);

    /// <summary>
    /// What gives back a reference that <paramref name="callee"/> took; null where it depends on the pointer's type.
    /// </summary>
    public static string? ReleaseOf(string callee) => callee switch
    {
        "bpf_obj_new_impl" or "bpf_obj_new" or "bpf_refcount_acquire_impl" or "bpf_refcount_acquire"
            or "bpf_list_pop_front" or "bpf_list_pop_back" or "bpf_rbtree_remove" => "bpf_obj_drop",
        "bpf_percpu_obj_new_impl" or "bpf_percpu_obj_new" => "bpf_percpu_obj_drop",
        "bpf_ringbuf_reserve" => "bpf_ringbuf_submit or bpf_ringbuf_discard",
        "bpf_ringbuf_reserve_dynptr" => "bpf_ringbuf_submit_dynptr or bpf_ringbuf_discard_dynptr",
        "bpf_cpumask_create" => "bpf_cpumask_release",
        "bpf_lookup_user_key" or "bpf_lookup_system_key" => "bpf_key_put",
        "bpf_get_task_exe_file" => "bpf_put_file",
        _ when callee.StartsWith("bpf_iter_", StringComparison.Ordinal)
            && callee.EndsWith("_new", StringComparison.Ordinal) => callee[..^3] + "destroy",
        _ when callee.StartsWith("bpf_sk_lookup", StringComparison.Ordinal)
            || callee.StartsWith("bpf_skc_lookup", StringComparison.Ordinal) => "bpf_sk_release",
        _ when callee.EndsWith("_ct_lookup", StringComparison.Ordinal)
            || callee.EndsWith("_ct_alloc", StringComparison.Ordinal) => "bpf_ct_release",
        _ when ObjectOf(callee) is { } kind => $"bpf_{kind}_release",
        _ => null,
    };

    private static string? ObjectOf(string callee) => callee switch
    {
        "bpf_task_acquire" or "bpf_task_from_pid" or "bpf_task_from_vpid" => "task",
        "bpf_cgroup_acquire" or "bpf_cgroup_from_id" or "bpf_cgroup_ancestor" or "bpf_task_get_cgroup1" => "cgroup",
        "bpf_cpumask_acquire" => "cpumask",
        "bpf_crypto_ctx_acquire" or "bpf_crypto_ctx_create" => "crypto_ctx",
        _ => null,
    };

    private static string Operator(byte op, bool jumps) => (op, jumps) switch
    {
        (BpfOp.Jeq, true) or (BpfOp.Jne, false) => "==",
        (BpfOp.Jeq, false) or (BpfOp.Jne, true) => "!=",
        (BpfOp.Jgt, true) or (BpfOp.Jle, false) => ">",
        (BpfOp.Jle, true) or (BpfOp.Jgt, false) => "<=",
        (BpfOp.Jge, true) or (BpfOp.Jlt, false) => ">=",
        (BpfOp.Jlt, true) or (BpfOp.Jge, false) => "<",
        (BpfOp.Jsgt, true) or (BpfOp.Jsle, false) => "s>",
        (BpfOp.Jsle, true) or (BpfOp.Jsgt, false) => "s<=",
        (BpfOp.Jsge, true) or (BpfOp.Jslt, false) => "s>=",
        _ => "s<",
    };

    private static string Reg(int reg, bool is32) => (is32 ? "w" : "r") + reg.ToString(CultureInfo.InvariantCulture);
}
