using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Verifier;

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
    RbtreeAdd,
    RbtreeRemove,
    RbtreeFirst,
    CastToKernCtx,
    RdonlyCast,
    RcuReadLock,
    RcuReadUnlock,
    PreemptDisable,
    PreemptEnable,
    DynptrFromSkb,
    DynptrFromXdp,
    DynptrSlice,
    DynptrSliceRdwr,
    DynptrClone,
    Throw,
    WqSetCallback,
    IterCssTaskNew,
    SessionCookie,
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
            or SpecialKfunc.ListPopBack;

    public bool IsRbtree => Special is SpecialKfunc.RbtreeAdd or SpecialKfunc.RbtreeRemove or SpecialKfunc.RbtreeFirst;

    /// <summary>Whether it puts an object the caller owns into a list or tree.</summary>
    public bool IsInsert =>
        Special is SpecialKfunc.ListPushFront or SpecialKfunc.ListPushBack or SpecialKfunc.RbtreeAdd;

    public bool Has(KfuncFlags flags) => (Flags & flags) != 0;

    private static SpecialKfunc SpecialOf(string name) => name switch
    {
        "bpf_obj_new_impl" => SpecialKfunc.ObjNew,
        "bpf_obj_drop_impl" => SpecialKfunc.ObjDrop,
        "bpf_percpu_obj_new_impl" => SpecialKfunc.PercpuObjNew,
        "bpf_percpu_obj_drop_impl" => SpecialKfunc.PercpuObjDrop,
        "bpf_refcount_acquire_impl" => SpecialKfunc.RefcountAcquire,
        "bpf_list_push_front_impl" => SpecialKfunc.ListPushFront,
        "bpf_list_push_back_impl" => SpecialKfunc.ListPushBack,
        "bpf_list_pop_front" => SpecialKfunc.ListPopFront,
        "bpf_list_pop_back" => SpecialKfunc.ListPopBack,
        "bpf_rbtree_add_impl" => SpecialKfunc.RbtreeAdd,
        "bpf_rbtree_remove" => SpecialKfunc.RbtreeRemove,
        "bpf_rbtree_first" => SpecialKfunc.RbtreeFirst,
        "bpf_cast_to_kern_ctx" => SpecialKfunc.CastToKernCtx,
        "bpf_rdonly_cast" => SpecialKfunc.RdonlyCast,
        "bpf_rcu_read_lock" => SpecialKfunc.RcuReadLock,
        "bpf_rcu_read_unlock" => SpecialKfunc.RcuReadUnlock,
        "bpf_preempt_disable" => SpecialKfunc.PreemptDisable,
        "bpf_preempt_enable" => SpecialKfunc.PreemptEnable,
        "bpf_dynptr_from_skb" => SpecialKfunc.DynptrFromSkb,
        "bpf_dynptr_from_xdp" => SpecialKfunc.DynptrFromXdp,
        "bpf_dynptr_slice" => SpecialKfunc.DynptrSlice,
        "bpf_dynptr_slice_rdwr" => SpecialKfunc.DynptrSliceRdwr,
        "bpf_dynptr_clone" => SpecialKfunc.DynptrClone,
        "bpf_throw" => SpecialKfunc.Throw,
        "bpf_wq_set_callback_impl" => SpecialKfunc.WqSetCallback,
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
