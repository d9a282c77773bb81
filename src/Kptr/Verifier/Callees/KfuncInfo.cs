using Kptr.Btf;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Callees;

/// <summary>Kfuncs the verifier knows by name, because their flags do not say all.</summary>
internal enum SpecialKfunc
{
    None,
    ObjNew,
    ObjDrop,
    PercpuObjNew,
    PercpuObjDrop,
    RefcountAcquire,
    ListPushFront,
    ListPushBack,
    ListPopFront,
    ListPopBack,
    ListAdd,
    ListDel,
    ListPeek,
    ListAsk,
    RbtreeAdd,
    RbtreeRemove,
    RbtreePeek,
    CastToKernCtx,
    RdonlyCast,
    RcuReadLock,
    RcuReadUnlock,
    PreemptDisable,
    PreemptEnable,
    DynptrFromSkb,
    DynptrFromSkbMeta,
    DynptrFromXdp,
    DynptrSlice,
    DynptrSliceRdwr,
    DynptrClone,
    Throw,
    WqSetCallback,
    IterCssTaskNew,
    SessionCookie,
    SessionIsReturn,
    AllowedUnderLock,
    IrqSave,
    IrqRestore,
    ResLock,
    ResUnlock,
    ResLockIrqSave,
    ResUnlockIrqRestore,
    XdpPullData,
    Trap,
    GetKmemCache,
}

/// <summary>What a parameter's name says of it (its suffix).</summary>
[Flags]
internal enum KfuncParamTag
{
    None = 0,
    MemSize = 1 << 0,
    ConstMemSize = 1 << 1,
    Optional = 1 << 2,
    Constant = 1 << 3,
    Ignore = 1 << 4,
    Map = 1 << 5,
    Alloc = 1 << 6,
    Uninit = 1 << 7,
    RefcountedKptr = 1 << 8,
    Nullable = 1 << 9,
    ConstStr = 1 << 10,
    Iter = 1 << 11,
    RdonlyBufSize = 1 << 12,
    RdwrBufSize = 1 << 13,
    NonOwnAllowed = 1 << 14,
    IrqFlag = 1 << 15,
}

/// <summary>One parameter of a kfunc.</summary>
/// <param name="Tags">What its name says.</param>
/// <param name="Type">Its type below modifiers.</param>
/// <param name="Pointee">Of pointers: the type pointed to, below modifiers.</param>
internal readonly record struct KfuncParam(KfuncParamTag Tags, BtfType Type, BtfType Pointee)
{
    /// <summary>Whether it is an integer or an enum.</summary>
    public bool IsScalar => Type.Kind is BtfKind.Int or BtfKind.Enum or BtfKind.Enum64;

    /// <summary>Whether its name has any of these suffixes.</summary>
    public bool Has(KfuncParamTag tags) => (Tags & tags) != 0;

    /// <summary>Whether it points to a kernel struct of this name.</summary>
    public bool PointsTo(string name) =>
        Type.Kind == BtfKind.Ptr && Pointee.Kind == BtfKind.Struct && Pointee.Name == name;
}

/// <summary>A kfunc as calls see it: its prototype, flags and what its name means.</summary>
internal sealed class KfuncInfo
{
    private static readonly (string Suffix, KfuncParamTag Tag)[] Suffixes =
    [
        ("__sz", KfuncParamTag.MemSize), ("__szk", KfuncParamTag.ConstMemSize), ("__opt", KfuncParamTag.Optional),
        ("__k", KfuncParamTag.Constant), ("__ign", KfuncParamTag.Ignore), ("__map", KfuncParamTag.Map),
        ("__alloc", KfuncParamTag.Alloc), ("__uninit", KfuncParamTag.Uninit),
        ("__refcounted_kptr", KfuncParamTag.RefcountedKptr), ("__nullable", KfuncParamTag.Nullable),
        ("__str", KfuncParamTag.ConstStr), ("__iter", KfuncParamTag.Iter),
        ("__nonown_allowed", KfuncParamTag.NonOwnAllowed), ("__irq_flag", KfuncParamTag.IrqFlag),
    ];

    /// <summary>Reads the prototype of a BTF function.</summary>
    public KfuncInfo(BtfType func, KfuncSpec? spec, int btfIdx)
    {
        Func = func;
        Spec = spec;
        Flags = spec?.Flags ?? KfuncFlags.None;
        Proto = func.Ref;
        Params = [.. Enumerable.Range(0, Proto.VLen).Select(i => ReadParam(Proto.Param(i)))];
        Ret = func.Btf.SkipModifiers(Proto.RefTypeId);
        Special = btfIdx == 0 ? SpecialOf(func.Name) : SpecialKfunc.None;
    }

    /// <summary>The BTF function.</summary>
    public BtfType Func { get; }

    /// <summary>Its registration; null where the kernel does not let programs call it.</summary>
    public KfuncSpec? Spec { get; }

    public KfuncFlags Flags { get; }

    public BtfType Proto { get; }

    public KfuncParam[] Params { get; }

    /// <summary>The type returned, below modifiers.</summary>
    public BtfType Ret { get; }

    public SpecialKfunc Special { get; }

    public string Name => Func.Name;

    /// <summary>Whether it is one of an open-coded iterator's three.</summary>
    public bool IsIter => Has(KfuncFlags.IterNew | KfuncFlags.IterNext | KfuncFlags.IterDestroy);

    /// <summary>Whether pointer arguments must be trusted; releasing kfuncs ask for it too.</summary>
    public bool TrustedArgs => Has(KfuncFlags.TrustedArgs | KfuncFlags.Release);

    public bool IsList =>
        Special is SpecialKfunc.ListPushFront or SpecialKfunc.ListPushBack or SpecialKfunc.ListPopFront
            or SpecialKfunc.ListPopBack or SpecialKfunc.ListAdd or SpecialKfunc.ListDel or SpecialKfunc.ListPeek
            or SpecialKfunc.ListAsk;

    public bool IsRbtree => Special is SpecialKfunc.RbtreeAdd or SpecialKfunc.RbtreeRemove or SpecialKfunc.RbtreePeek;

    /// <summary>Whether it shows a node that stays where it is.</summary>
    public bool IsPeek => Special is SpecialKfunc.ListPeek or SpecialKfunc.RbtreePeek;

    /// <summary>Whether it puts an object the caller owns into a list or tree.</summary>
    public bool IsInsert =>
        Special is SpecialKfunc.ListPushFront or SpecialKfunc.ListPushBack or SpecialKfunc.ListAdd
            or SpecialKfunc.RbtreeAdd;

    /// <summary>Of kfuncs that take or release a lock: which; null otherwise.</summary>
    public LockKind? LockKindOf => Special switch
    {
        SpecialKfunc.ResLock or SpecialKfunc.ResUnlock => LockKind.Resilient,
        SpecialKfunc.ResLockIrqSave or SpecialKfunc.ResUnlockIrqRestore => LockKind.ResilientIrq,
        _ => null,
    };

    /// <summary>Whether it takes a lock, which may fail.</summary>
    public bool IsLock => Special is SpecialKfunc.ResLock or SpecialKfunc.ResLockIrqSave;

    public bool Has(KfuncFlags flags) => (Flags & flags) != 0;

    private static SpecialKfunc SpecialOf(string name) => name switch
    {
        "bpf_obj_new_impl" or "bpf_obj_new" => SpecialKfunc.ObjNew,
        "bpf_obj_drop_impl" or "bpf_obj_drop" => SpecialKfunc.ObjDrop,
        "bpf_percpu_obj_new_impl" or "bpf_percpu_obj_new" => SpecialKfunc.PercpuObjNew,
        "bpf_percpu_obj_drop_impl" or "bpf_percpu_obj_drop" => SpecialKfunc.PercpuObjDrop,
        "bpf_refcount_acquire_impl" or "bpf_refcount_acquire" => SpecialKfunc.RefcountAcquire,
        "bpf_list_push_front_impl" or "bpf_list_push_front" => SpecialKfunc.ListPushFront,
        "bpf_list_push_back_impl" or "bpf_list_push_back" => SpecialKfunc.ListPushBack,
        "bpf_list_pop_front" => SpecialKfunc.ListPopFront,
        "bpf_list_pop_back" => SpecialKfunc.ListPopBack,
        "bpf_rbtree_add_impl" or "bpf_rbtree_add" => SpecialKfunc.RbtreeAdd,
        "bpf_rbtree_remove" => SpecialKfunc.RbtreeRemove,
        "bpf_list_add" => SpecialKfunc.ListAdd,
        "bpf_list_del" => SpecialKfunc.ListDel,
        "bpf_list_front" or "bpf_list_back" => SpecialKfunc.ListPeek,
        "bpf_list_is_first" or "bpf_list_is_last" or "bpf_list_empty" => SpecialKfunc.ListAsk,
        "bpf_rbtree_first" or "bpf_rbtree_root" or "bpf_rbtree_left" or "bpf_rbtree_right" => SpecialKfunc.RbtreePeek,
        "bpf_iter_num_new" or "bpf_iter_num_next" or "bpf_iter_num_destroy" or "bpf_arena_alloc_pages"
            or "bpf_arena_free_pages" or "bpf_arena_reserve_pages" or "bpf_stream_vprintk"
            or "bpf_stream_print_stack" => SpecialKfunc.AllowedUnderLock,
        "bpf_session_is_return" => SpecialKfunc.SessionIsReturn,
        "bpf_cast_to_kern_ctx" => SpecialKfunc.CastToKernCtx,
        "bpf_rdonly_cast" => SpecialKfunc.RdonlyCast,
        "bpf_rcu_read_lock" => SpecialKfunc.RcuReadLock,
        "bpf_rcu_read_unlock" => SpecialKfunc.RcuReadUnlock,
        "bpf_preempt_disable" => SpecialKfunc.PreemptDisable,
        "bpf_preempt_enable" => SpecialKfunc.PreemptEnable,
        "bpf_dynptr_from_skb" => SpecialKfunc.DynptrFromSkb,
        "bpf_dynptr_from_skb_meta" => SpecialKfunc.DynptrFromSkbMeta,
        "bpf_dynptr_from_xdp" => SpecialKfunc.DynptrFromXdp,
        "bpf_dynptr_slice" => SpecialKfunc.DynptrSlice,
        "bpf_dynptr_slice_rdwr" => SpecialKfunc.DynptrSliceRdwr,
        "bpf_dynptr_clone" => SpecialKfunc.DynptrClone,
        "bpf_throw" => SpecialKfunc.Throw,
        "bpf_wq_set_callback_impl" or "bpf_wq_set_callback" => SpecialKfunc.WqSetCallback,
        "bpf_local_irq_save" => SpecialKfunc.IrqSave,
        "bpf_local_irq_restore" => SpecialKfunc.IrqRestore,
        "bpf_res_spin_lock" => SpecialKfunc.ResLock,
        "bpf_res_spin_unlock" => SpecialKfunc.ResUnlock,
        "bpf_res_spin_lock_irqsave" => SpecialKfunc.ResLockIrqSave,
        "bpf_res_spin_unlock_irqrestore" => SpecialKfunc.ResUnlockIrqRestore,
        "bpf_xdp_pull_data" => SpecialKfunc.XdpPullData,
        "__bpf_trap" => SpecialKfunc.Trap,
        "bpf_get_kmem_cache" => SpecialKfunc.GetKmemCache,
        "bpf_iter_css_task_new" => SpecialKfunc.IterCssTaskNew,
        "bpf_session_cookie" => SpecialKfunc.SessionCookie,
        _ => SpecialKfunc.None,
    };

    private KfuncParam ReadParam(BtfParam param)
    {
        var type = Func.Btf.SkipModifiers(param.TypeId);
        var pointee = type.Kind == BtfKind.Ptr ? Func.Btf.SkipModifiers(type.RefTypeId) : Func.Btf[0];
        var tags = KfuncParamTag.None;
        foreach (var (suffix, tag) in Suffixes)
        {
            if (param.Name.EndsWith(suffix, StringComparison.Ordinal))
            {
                tags |= tag;
            }
        }

        tags |= param.Name switch
        {
            "rdonly_buf_size" => KfuncParamTag.RdonlyBufSize,
            "rdwr_buf_size" => KfuncParamTag.RdwrBufSize,
            _ => 0,
        };
        return new(tags, type, pointee);
    }
}
