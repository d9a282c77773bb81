namespace Kptr.Specs;

/// <content>Maps, storage and ring buffers.</content>
internal static partial class HelperTable
{
    private const string MapTable = """
        map_lookup_elem(map, key) -> value? | pkt
        map_update_elem(map, key, value, any) | pkt
        map_delete_elem(map, key) | pkt
        map_push_elem(map, value, any) | pkt
        map_pop_elem(map, out value)
        map_peek_elem(map, out value)
        map_lookup_percpu_elem(map, key, any) -> value? | pkt
        for_each_map_elem(map, func, stack?, any)
        tail_call(ctx, map, any) -> void
        get_local_storage(map, any) -> value

        sk_storage_get(map, btf_sock, value?, any) -> value?
        sk_storage_get@cg_sock(map, ctx, value?, any) -> value?
        sk_storage_get@tracing(map, btf:sock_common?, value?, any) -> value?
        sk_storage_delete(map, btf_sock)
        sk_storage_delete@tracing(map, btf:sock_common?)
        inode_storage_get(map, btf:inode?, value?, any) -> value?
        inode_storage_delete(map, btf:inode?)
        task_storage_get(map, btf:task_struct?, value?, any) -> value?
        task_storage_delete(map, btf:task_struct?)
        cgrp_storage_get(map, btf:cgroup?, value?, any) -> value?
        cgrp_storage_delete(map, btf:cgroup?)

        ringbuf_reserve(map, alloc_size0, any) -> ringbuf_mem?
        ringbuf_submit(release ringbuf_mem, any) -> void
        ringbuf_discard(release ringbuf_mem, any) -> void
        ringbuf_output(map, ro mem, size0, any)
        ringbuf_query(map, any)
        ringbuf_reserve_dynptr(map, any, any, ringbuf out dynptr)
        ringbuf_submit_dynptr(ringbuf release dynptr, any) -> void
        ringbuf_discard_dynptr(ringbuf release dynptr, any) -> void
        user_ringbuf_drain(map, func, stack?, any)

        perf_event_read(map, any) | gpl
        perf_event_read_value(map, any, out mem, size) | gpl
        perf_event_output(ctx, map, any, ro mem, size0) | gpl
        get_stackid(ctx, map, any) | gpl
        current_task_under_cgroup(map, any)

        redirect_map(map, any, any)
        sock_map_update(ctx, map, key, any) | pkt
        sock_hash_update(ctx, map, key, any) | pkt
        sk_redirect_map(ctx, map, any, any)
        sk_redirect_hash(ctx, map, key, any)
        msg_redirect_map(ctx, map, any, any)
        msg_redirect_hash(ctx, map, key, any)
        sk_select_reuseport(ctx, map, key, any)
        """;
}
