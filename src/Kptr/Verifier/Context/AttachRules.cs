using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Verifier.Context;

/// <summary>
/// What programs may be attached to, and what that is: hooks, functions, tracepoints, members of structs.
/// </summary>
/// <param name="prog">The program.</param>
/// <param name="kernel">The kernel it is loaded into.</param>
/// <param name="hasTailCall">Whether any function of it calls another program.</param>
internal sealed class AttachRules(ProgSpec prog, KernelSpec kernel, bool hasTailCall)
{
    /// <summary>Words of a function's arguments that a trampoline carries.</summary>
    public const int MaxBpfFuncArgs = 12;

    private const string RawTpPrefix = "btf_trace_";

    private static readonly FrozenSet<string> DeniedTargets = FrozenSet.Create(
        "migrate_disable", "migrate_enable", "___migrate_enable", "rcu_read_unlock_strict", "preempt_count_add",
        "preempt_count_sub");

    private static readonly FrozenSet<string> RcuReaders = FrozenSet.Create("__rcu_read_lock", "__rcu_read_unlock");

    private static readonly FrozenSet<string> NoReturnTargets = FrozenSet.Create(
        "__ia32_sys_exit", "__ia32_sys_exit_group", "__kunit_abort", "kunit_try_catch_throw",
        "__module_put_and_kthread_exit", "__x64_sys_exit", "__x64_sys_exit_group", "do_exit", "do_group_exit",
        "kthread_complete_and_exit", "kthread_exit", "make_task_dead");

    /// <summary>Functions whose return value programs may change besides LSM hooks.</summary>
    private static readonly FrozenSet<string> ModifiableTargets = FrozenSet.Create(
        "bpf_modify_return_test", "bpf_modify_return_test2", "bpf_modify_return_test_tp", "bpf_fentry_test1",
        "update_socket_protocol", "bpf_testmod_trampoline_count_test");

    /// <summary>Of these, the ones that may sleep.</summary>
    private static readonly FrozenSet<string> SleepableTargets = FrozenSet.Create("bpf_fentry_test1");

    /// <summary>Functions besides system calls that errors may be injected into, which opens them too.</summary>
    private static readonly FrozenSet<string> InjectedTargets = FrozenSet.Create(
        "bpf_testmod_test_read", "bpf_testmod_test_write", "should_failslab", "should_fail_alloc_page");

    /// <summary>Of these, the ones that may not sleep.</summary>
    private static readonly FrozenSet<string> AtomicTargets = FrozenSet.Create(
        "should_failslab", "should_fail_alloc_page");

    /// <summary>Tracepoints whose programs may fault and sleep (<c>TRACE_EVENT_SYSCALL</c>).</summary>
    private static readonly FrozenSet<string> FaultableTracepoints = FrozenSet.Create("sys_enter", "sys_exit");

    /// <summary>Refuses a program that may not be attached where it says (<c>check_attach_btf_id</c>).</summary>
    /// <returns>What a BTF program is attached to; null for other types.</returns>
    public AttachTarget? Resolve()
    {
        if (prog.Type == ProgType.Syscall)
        {
            if (!prog.IsSleepable)
            {
                Reject(DiagCode.AttachTargetInvalid, "Syscall programs can only be sleepable");
            }

            return null;
        }

        if (prog.IsSleepable && !MayBeSleepable)
        {
            Reject(DiagCode.AttachTargetInvalid, kernel.Profile.TracepointsSleep
                ? "Program of this type cannot be sleepable"
                : "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable");
        }

        return prog.Type switch
        {
            ProgType.StructOps => ResolveStructOps(),
            ProgType.Tracing or ProgType.Lsm => ResolveTarget(),
            _ => null,
        };
    }

    private bool MayBeSleepable => prog.Type switch
    {
        ProgType.Tracing when prog.ExpectedAttachType == AttachType.TraceRawTp => kernel.Profile.TracepointsSleep,
        ProgType.Tracing => prog.ExpectedAttachType is AttachType.TraceFentry or AttachType.TraceFexit
            or AttachType.ModifyReturn or AttachType.TraceIter or AttachType.TraceFsession || prog.IsForManyFunctions,
        ProgType.RawTracepoint or ProgType.Tracepoint => kernel.Profile.TracepointsSleep,
        ProgType.Lsm => prog.ExpectedAttachType != AttachType.LsmCgroup,
        ProgType.Kprobe => true,
        ProgType.StructOps => kernel.Profile.StructOpsSleep,
        _ => false,
    };

    private AttachTarget ResolveTarget()
    {
        if (prog.AttachBtf is not { } at)
        {
            Reject(DiagCode.AttachTargetInvalid, "Tracing programs must provide btf_id");
            return null!;
        }

        var type = kernel.Types[at];
        switch (prog.ExpectedAttachType)
        {
            case AttachType.TraceRawTp:
                return ResolveRawTp(type);
            case AttachType.TraceIter:
                RequireFunc(type);
                if (IterTargets.ArgsOf(type) is not { } args)
                {
                    Reject(DiagCode.AttachTargetInvalid, $"{type.Name} is no iterator");
                    return null!;
                }

                return new AttachTarget(type.Name, type.Btf, type.Ref, 0) { Args = args };
            case AttachType.LsmMac or AttachType.LsmCgroup or AttachType.TraceFentry or AttachType.TraceFexit
                or AttachType.ModifyReturn or AttachType.TraceFsession or AttachType.TraceFentryMulti
                or AttachType.TraceFexitMulti or AttachType.TraceFsessionMulti:
                RequireFunc(type);
                CheckFuncProto(type);
                RequireAddress(type);
                CheckHook(type);
                return new AttachTarget(type.Name, type.Btf, type.Ref, 0);
            default:
                Reject(DiagCode.AttachTargetInvalid,
                    $"attach type {prog.ExpectedAttachType} is not one of tracing programs");
                return null!;
        }
    }

    private AttachTarget ResolveRawTp(BtfType type)
    {
        if (type.Kind != BtfKind.Typedef)
        {
            Reject(DiagCode.AttachTargetInvalid, $"attach_btf_id {type.Id} is not a typedef");
        }

        if (!type.Name.StartsWith(RawTpPrefix, StringComparison.Ordinal))
        {
            Reject(DiagCode.AttachTargetInvalid, $"attach_btf_id {type.Id} points to wrong type name {type.Name}");
        }

        var name = type.Name[RawTpPrefix.Length..];
        if (prog.IsSleepable && !FaultableTracepoints.Contains(name))
        {
            Reject(DiagCode.AttachTargetInvalid,
                $"Sleepable program cannot attach to non-faultable tracepoint {name}");
        }

        var template = type.Btf.FindId("__bpf_trace_" + name, BtfKind.Func);
        var proto = template != 0 ? type.Btf[template].Ref : type.Ref.Ref;
        if (proto.Kind != BtfKind.FuncProto)
        {
            Reject(DiagCode.AttachTargetInvalid, $"tracepoint {name} has no prototype");
        }

        return new AttachTarget(name, type.Btf, proto, 1);
    }

    /// <summary>
    /// Where kfuncs have arguments that the verifier gives, <c>NAME_impl</c> stands for the whole prototype of
    /// <c>NAME</c>, and no such function is there but those of before.
    /// </summary>
    private void RequireAddress(BtfType func)
    {
        const string Impl = "_impl";
        if (kernel.Profile.HidesKfuncArgs && func.Name.EndsWith(Impl, StringComparison.Ordinal)
            && !kernel.Kfuncs.ContainsKey(func.Name)
            && func.Btf.FindId(func.Name[..^Impl.Length], BtfKind.Func) != 0)
        {
            Reject(DiagCode.AttachTargetInvalid, $"The address of function {func.Name} cannot be found",
                errno: Errno.ENOENT);
        }
    }

    private static void RequireFunc(BtfType type)
    {
        if (type.Kind != BtfKind.Func)
        {
            Reject(DiagCode.AttachTargetInvalid, $"attach_btf_id {type.Id} is not a function");
        }
    }

    /// <summary>A trampoline can carry the function's arguments (<c>btf_distill_func_proto</c>).</summary>
    private static void CheckFuncProto(BtfType func)
    {
        var proto = func.Ref;
        if (proto.VLen > MaxBpfFuncArgs)
        {
            Reject(DiagCode.AttachTargetInvalid, $"The function {func.Name} has {proto.VLen} arguments. Too many.");
        }

        var ret = func.Btf.SkipModifiers(proto.RefTypeId);
        if (ret.IsComposite || (ret.Kind != BtfKind.Void && func.Btf.ResolveSize(ret.Id) < 0))
        {
            Reject(DiagCode.AttachTargetInvalid,
                $"The function {func.Name} return type {BtfWords.KindName(ret)} is unsupported.");
        }

        for (var i = 0; i < proto.VLen; i++)
        {
            var id = proto.Param(i).TypeId;
            if (id == 0)
            {
                Reject(DiagCode.AttachTargetInvalid, $"The function {func.Name} with variable args is unsupported.");
            }

            if (func.Btf.ResolveSize(id) is < 0 or > 16)
            {
                var type = func.Btf.SkipModifiers(id);
                Reject(DiagCode.AttachTargetInvalid,
                    $"The function {func.Name} arg{i} type {BtfWords.KindName(type)} is unsupported.");
            }
        }
    }

    private void CheckHook(BtfType func)
    {
        if (prog.IsSleepable && !prog.IsForManyFunctions && !IsSleepableTarget(func.Name))
        {
            Reject(DiagCode.AttachTargetInvalid, $"{func.Name} is not sleepable");
        }

        if (!prog.IsSleepable && prog.ExpectedAttachType == AttachType.ModifyReturn && !IsModifiable(func.Name))
        {
            Reject(DiagCode.AttachTargetInvalid, $"{func.Name}() is not modifiable");
        }

        if (prog.Type == ProgType.Lsm)
        {
            CheckLsmHook(func);
        }
        else if (DeniedTargets.Contains(func.Name)
            || (kernel.Profile.DeniesRcuReaders && RcuReaders.Contains(func.Name)))
        {
            Reject(DiagCode.AttachTargetInvalid, $"Attaching tracing programs to function '{func.Name}' is rejected.");
        }
        else if (prog.ExpectedAttachType is AttachType.TraceFexit or AttachType.ModifyReturn or AttachType.TraceFsession
            && kernel.Profile.DeniesEndsOfNoReturn && NoReturnTargets.Contains(func.Name))
        {
            Reject(DiagCode.AttachTargetInvalid, "Attaching fexit/fmod_ret to __noreturn functions is rejected.");
        }
    }

    private void CheckLsmHook(BtfType func)
    {
        if (!prog.IsGplCompatible)
        {
            Reject(DiagCode.LicenseMissing, "LSM programs must have a GPL compatible license");
        }

        if (LsmHooks.IsDisabled(func.Name, kernel.Profile))
        {
            Reject(DiagCode.AttachTargetInvalid, $"attach_btf_id {func.Id} points to disabled hook {func.Name}");
        }

        if (!LsmHooks.IsHook(func.Name))
        {
            Reject(DiagCode.AttachTargetInvalid, $"attach_btf_id {func.Id} points to wrong type name {func.Name}");
        }
    }

    private bool IsSleepableTarget(string name) => prog.Type == ProgType.Lsm
        ? LsmHooks.IsSleepable(name, kernel.Profile)
        : kernel.Profile.HasModifiableFunctions
            && (SleepableTargets.Contains(name) || (IsInjected(name) && !AtomicTargets.Contains(name)));

    private bool IsModifiable(string name) => name.StartsWith("security_", StringComparison.Ordinal)
        || (kernel.Profile.HasModifiableFunctions && (ModifiableTargets.Contains(name) || IsInjected(name)));

    /// <summary>Whether errors may be injected into a function; others may open system calls all the same.</summary>
    private bool IsInjected(string name) =>
        kernel.Kconfig.GetValueOrDefault("CONFIG_FUNCTION_ERROR_INJECTION") == "y"
            ? name.StartsWith("__x64_sys_", StringComparison.Ordinal) || InjectedTargets.Contains(name)
            : kernel.Profile.OpensSyscalls && name.StartsWith("__x64_", StringComparison.Ordinal);

    private AttachTarget ResolveStructOps()
    {
        if (!prog.IsGplCompatible)
        {
            Reject(DiagCode.LicenseMissing, "struct ops programs must have a GPL compatible license");
        }

        if (prog.AttachBtf is not { } at)
        {
            Reject(DiagCode.AttachTargetInvalid, "the program names no struct_ops type", errno: Errno.ENOTSUPP);
            return null!;
        }

        var type = kernel.Types[at];
        if (type.Kind != BtfKind.Struct || type.Btf.FindId("bpf_struct_ops_" + type.Name, BtfKind.Struct) == 0)
        {
            Reject(DiagCode.AttachTargetInvalid, $"attach_btf_id {type.Id} is not a supported struct",
                errno: Errno.ENOTSUPP);
        }

        if ((uint)prog.StructOpsMember >= (uint)type.VLen)
        {
            Reject(DiagCode.AttachTargetInvalid,
                $"attach to invalid member idx {prog.StructOpsMember} of struct {type.Name}");
        }

        var member = type.Member(prog.StructOpsMember);
        var pointer = type.Btf.SkipModifiers(member.TypeId);
        var proto = pointer.Kind == BtfKind.Ptr ? type.Btf.SkipModifiers(pointer.RefTypeId) : pointer;
        if (pointer.Kind != BtfKind.Ptr || proto.Kind != BtfKind.FuncProto)
        {
            Reject(DiagCode.AttachTargetInvalid,
                $"attach to invalid member {member.Name}(@idx {prog.StructOpsMember}) of struct {type.Name}");
        }

        if (!StructOpsRules.IsSupported(type.Name, member.Name, prog.IsSleepable))
        {
            Reject(DiagCode.AttachTargetInvalid, $"attach to unsupported member {member.Name} of struct {type.Name}",
                errno: Errno.ENOTSUPP);
        }

        var args = StructOpsRules.TaggedArgs(
            type, member.Name, proto, kernel.Profile.StructOpsHandOverReferences);
        if (args.Any(a => a.IsRefcounted) && hasTailCall)
        {
            Reject(DiagCode.CallNotAllowedHere, "program with __ref argument cannot tail call");
        }

        return new AttachTarget(member.Name, type.Btf, proto, 0) { Args = args };
    }

    [DoesNotReturn]
    private static void Reject(DiagCode code, string message, Errno errno = Errno.EINVAL) =>
        Refusal.At(0, code, message, errno);
}
