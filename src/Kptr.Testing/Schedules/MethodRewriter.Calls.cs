using System.Diagnostics.CodeAnalysis;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Kptr.Testing.Schedules;

/// <summary>Calls by which threads meet.</summary>
internal sealed partial class MethodRewriter
{
    // Those that are done by us instead; what they take is what the hook takes, and the site after it.
    private static readonly Dictionary<string, (string Hook, SiteKind Kind)> Replaced = new()
    {
        ["System.Threading.Monitor::TryEnter(Object)"] = ("MonitorTryEnter", SiteKind.TryLock),
        ["System.Threading.Monitor::TryEnter(Object,Int32)"] = ("MonitorTryEnterFor", SiteKind.TryLock),
        ["System.Threading.Monitor::TryEnter(Object,Boolean&)"] = ("MonitorTryEnterTo", SiteKind.TryLock),
        ["System.Threading.Monitor::Wait(Object)"] = ("MonitorWait", SiteKind.Atomic),
        ["System.Threading.Monitor::Wait(Object,Int32)"] = ("MonitorWaitFor", SiteKind.Atomic),
        ["System.Threading.Monitor::Pulse(Object)"] = ("MonitorPulse", SiteKind.Atomic),
        ["System.Threading.Monitor::PulseAll(Object)"] = ("MonitorPulseAll", SiteKind.Atomic),
        ["System.Threading.Lock::TryEnter()"] = ("LockTryEnter", SiteKind.TryLock),
        ["System.Threading.SpinWait::SpinOnce()"] = ("SpinOnce", SiteKind.Wait),
        ["System.Threading.SpinWait::SpinOnce(Int32)"] = ("SpinOnceSleeping", SiteKind.Wait),
        ["System.Threading.SpinWait::SpinUntil(Func`1)"] = ("SpinUntil", SiteKind.Wait),
        ["System.Threading.Thread::Yield()"] = ("Yield", SiteKind.Wait),
        ["System.Threading.Thread::Sleep(Int32)"] = ("Sleep", SiteKind.Wait),
        ["System.Threading.Thread::SpinWait(Int32)"] = ("SpinWaitFor", SiteKind.Wait),
        ["System.Threading.Thread::Join()"] = ("ThreadJoin", SiteKind.Wait),
        ["System.Threading.Thread::Start()"] = ("ThreadStart", SiteKind.Atomic),
        ["System.Threading.ManualResetEventSlim::Wait()"] = ("EventWait", SiteKind.Wait),
        ["System.Threading.ManualResetEventSlim::Wait(TimeSpan)"] = ("EventWaitFor", SiteKind.Wait),
        ["System.Threading.SemaphoreSlim::Wait()"] = ("SemaphoreWait", SiteKind.Wait),
        ["System.Threading.WaitHandle::WaitOne()"] = ("HandleWait", SiteKind.Wait),
        ["System.Threading.Tasks.Task::Wait()"] = ("TaskWait", SiteKind.Wait),
        ["System.Threading.Tasks.Task::Run(Action)"] = ("TaskRun", SiteKind.Atomic),
        ["System.Threading.ThreadPool::UnsafeQueueUserWorkItem(Action`1,!!0,Boolean)"] =
            ("QueueWork", SiteKind.Atomic),
    };

    private static readonly HashSet<string> Events =
        ["ManualResetEventSlim", "SemaphoreSlim", "ManualResetEvent", "AutoResetEvent", "EventWaitHandle", "Lazy`1"];

    private void Call(Instruction at, MethodReference called)
    {
        var type = called.DeclaringType;
        if (type is { Namespace: "", DeclaringType: { } outer })
        {
            if (outer.FullName == "System.Threading.Lock" && called.Name == "Dispose")
            {
                Site(SiteKind.Unlock, "leave a lock");
                CallHook("ScopeExit");
                Insert(at);
            }

            return;
        }

        if (type is GenericInstanceType { Namespace: "System", Name: "Span`1" or "ReadOnlySpan`1" } span)
        {
            Span(at, called, span.GenericArguments[0]);
        }
        else if (type.Name is "Unsafe"
            && called.Name is "CopyBlock" or "CopyBlockUnaligned" or "InitBlock" or "InitBlockUnaligned")
        {
            OnBlock(at, called);
        }
        else if (type.Name is "NativeMemory" or "Unsafe" && called.Name is "Fill" or "Clear")
        {
            OnFirst(at, called, SiteKind.Write, "Access", "write memory");
        }
        else if (type.Name == "NativeMemory" && IsBlock(called, out var block))
        {
            Replace(at, Instruction.Create(OpCodes.Call, block));
        }
        else if (type.Namespace.StartsWith("System.Threading", StringComparison.Ordinal))
        {
            Threading(at, called);
        }
        else if (type.Namespace.StartsWith("System.Collections", StringComparison.Ordinal) && called.HasThis
            && !IsValue(type) && at.Previous?.OpCode.Code != Code.Constrained)
        {
            Collection(at, called);
        }
        else if (type.Namespace == "System" && Events.Contains(type.Name) && called.Name == "get_Value")
        {
            OnObject(at, called, SiteKind.Atomic);
        }
    }

    private bool IsBlock(MethodReference called, [NotNullWhen(true)] out MethodReference? block)
    {
        var name = called is { Name: "AllocZeroed", Parameters.Count: 2 } ? "AllocZeroedArray" : called.Name;
        block = name is "Alloc" or "AlignedAlloc" or "AllocZeroed" or "AllocZeroedArray" or "Free" or "AlignedFree"
            && (called.Name != "Alloc" || called.Parameters.Count == 1)
            ? hooks.OfBlocks(name) : null;
        return block is not null;
    }

    private void Threading(Instruction at, MethodReference called)
    {
        var name = $"{called.DeclaringType.FullName}::{called.Name}";
        var whole = $"{name}({string.Join(",", called.Parameters.Select(p => p.ParameterType.Name))})";
        whole = whole.Replace("(Action`1,TState,Boolean)", "(Action`1,!!0,Boolean)", StringComparison.Ordinal);
        if (Replaced.TryGetValue(whole, out var by))
        {
            ReplaceCall(at, called, by.Hook, by.Kind);
            return;
        }

        if (called is { DeclaringType.Name: "ThreadLocal`1", Name: "get_Value" })
        {
            // It may make the thread's value first.
            CallHook("InterruptsOff");
            Insert(at);
            _il.InsertAfter(at.Next, Instruction.Create(OpCodes.Call, hooks["InterruptsOn"]));
            return;
        }

        switch (name)
        {
            case "System.Threading.Interlocked::MemoryBarrier" or "System.Threading.Thread::MemoryBarrier":
                CallHook("Fence");
                Insert(at);
                break;
            case "System.Threading.Interlocked::MemoryBarrierProcessWide":
                CallHook("FenceAll");
                Insert(at);
                break;
            case "System.Threading.Monitor::Enter" or "System.Threading.Lock::Enter":
                OnFirst(at, called, SiteKind.Lock, "LockEnter", "take a lock");
                break;
            case "System.Threading.Lock::EnterScope":
                OnFirst(at, called, SiteKind.Lock, "LockEnterScope", "take a lock");
                break;
            case "System.Threading.Monitor::Exit" or "System.Threading.Lock::Exit":
                OnFirst(at, called, SiteKind.Unlock, "LockExit", "leave a lock");
                break;
            default:
                if (called.DeclaringType.Name is "Interlocked" or "Volatile"
                    && called.Parameters is [{ ParameterType: ByReferenceType }, ..])
                {
                    Atomic(at, called);
                }
                else if (called.HasThis && Events.Contains(called.DeclaringType.Name))
                {
                    OnObject(at, called, SiteKind.Atomic);
                }

                break;
        }
    }

    private void ReplaceCall(Instruction at, MethodReference called, string hook, SiteKind kind)
    {
        Site(kind, $"{called.DeclaringType.Name}.{called.Name}");
        var target = called is GenericInstanceMethod generic
            ? hooks.Of(hook, generic.GenericArguments[0]) : hooks[hook];
        _new.Add(Instruction.Create(OpCodes.Call, target));
        Insert(at);
        Drop(_new[^1].Next);
    }

    private static void Drop(Instruction moved) => Replace(moved, Instruction.Create(OpCodes.Nop));

    private void Atomic(Instruction at, MethodReference called)
    {
        var kind = called.DeclaringType.Name == "Interlocked" ? SiteKind.Atomic
            : called.Name == "Write" ? SiteKind.VolatileWrite : SiteKind.VolatileRead;
        var what = $"{called.DeclaringType.Name}.{called.Name} {FieldName(at)}".TrimEnd();
        if (kind != SiteKind.VolatileWrite)
        {
            OnFirst(at, called, kind, "Access", what);
            return;
        }

        var generic = called as GenericInstanceMethod;
        var stored = Inflate(((ByReferenceType)called.Parameters[0].ParameterType).ElementType, null, generic);
        OnFirst(at, called, kind, hooks.Of("StoreVolatile", stored), what);
    }

    private static string FieldName(Instruction at)
    {
        for (var i = 0; i < 6 && at.Previous is { } before; i++, at = before)
        {
            if (before is { OpCode.Code: Code.Ldflda or Code.Ldsflda, Operand: FieldReference field })
            {
                return field.Name;
            }
        }

        return "";
    }

    // Whole values are filled, cleared and copied so.
    private void Span(Instruction at, MethodReference called, TypeReference element)
    {
        if (called.Name is "Fill" or "Clear")
        {
            OnFirst(at, called, SiteKind.Write, hooks.Of("Overwrite", element), "write a span");
        }
        else if (called.Name is "CopyTo" or "TryCopyTo")
        {
            var reads = called.DeclaringType.Name == "Span`1" ? "Copy" : "CopyReadOnly";
            OnFirst(at, called, SiteKind.Read, hooks.Of(reads, element), "read a span");
            at = _new[^1].Next;
            _new.Clear();
            Emit(OpCodes.Dup);
            Site(SiteKind.Write, "write a span");
            _new.Add(Instruction.Create(OpCodes.Call, hooks.Of("CopiedTo", element)));
            Insert(at);
        }
    }

    private void Collection(Instruction at, MethodReference called)
    {
        var isConcurrent = called.DeclaringType.Namespace == "System.Collections.Concurrent";
        var reads = called.Name is "get_Count" or "get_Item" or "get_Keys" or "get_Values" or "TryGetValue" or "Peek"
            or "TryPeek" or "ToArray" or "GetEnumerator" or "get_IsEmpty" or "CopyTo" or "IndexOf" or "get_Comparer"
            || called.Name.StartsWith("Contains", StringComparison.Ordinal);
        OnObject(at, called, isConcurrent ? SiteKind.Atomic : reads ? SiteKind.Read : SiteKind.Write);
    }

    private void OnObject(Instruction at, MethodReference called, SiteKind kind) =>
        OnFirst(at, called, kind, "AccessObject", $"{called.DeclaringType.Name.Split('`')[0]}.{called.Name}");

    private void OnFirst(Instruction at, MethodReference called, SiteKind kind, string hook, string what) =>
        OnFirst(at, called, kind, hooks[hook], what);

    // How long it is comes last.
    private void OnBlock(Instruction at, MethodReference called)
    {
        var spills = DigOutFirst(called);
        _new.Add(Instruction.Create(OpCodes.Ldloc, spills[^1]));
        Site(SiteKind.Write, "write memory");
        CallHook("WriteBlock");
        spills.ForEach(s => _new.Add(Instruction.Create(OpCodes.Ldloc, s)));
        Insert(at);
    }

    private List<VariableDefinition> DigOutFirst(MethodReference called)
    {
        var generic = called as GenericInstanceMethod;
        var rest = called.Parameters.Skip(called.HasThis ? 0 : 1)
            .Select(p => Inflate(p.ParameterType, called.DeclaringType, generic)).ToList();
        var spills = rest.Select((t, i) => Spill(t, i + 1)).ToList();
        for (var i = spills.Count - 1; i >= 0; i--)
        {
            _new.Add(Instruction.Create(OpCodes.Stloc, spills[i]));
        }

        Emit(OpCodes.Dup);
        return spills;
    }

    // Digs out what lies deepest, and puts all the rest back.
    private void OnFirst(Instruction at, MethodReference called, SiteKind kind, MethodReference hook, string what)
    {
        var spills = DigOutFirst(called);
        Site(kind, what);
        _new.Add(Instruction.Create(OpCodes.Call, hook));
        spills.ForEach(s => _new.Add(Instruction.Create(OpCodes.Ldloc, s)));
        Insert(at);
    }
}
