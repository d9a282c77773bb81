using Kptr;
using Kptr.Btf;
using Kptr.Isa;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

using var kernel = new KernelModel(new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });

// A program that takes a reference on the first task and forgets it: the verifier refuses it, and says why.
ObjectSpec forgetful = Assemble("forgetful", """
        r1 = 1
        call bpf_task_from_pid          ; r0: the task, or null
        r0 = 0
        exit
    """);
foreach (ProgVerdict verdict in ObjectCheck.Run(forgetful, kernel.Spec))
{
    Console.WriteLine($"{verdict.Prog.Name}: {verdict.Verdict}\n{verdict.Result.Explanation}\n");
}

// The same, mended: it is accepted and runs.
ObjectSpec careful = Assemble("careful", """
        r1 = 1
        call bpf_task_from_pid
        if r0 == 0 goto none
        r1 = r0
        call bpf_task_release
        r0 = 1
        exit
    none:
        r0 = 0
        exit
    """);
using BpfObject loaded = BpfObject.From(careful).Load(kernel);
Console.WriteLine($"careful returns {loaded.Programs["careful"].TestRun().ReturnValue}\n");

// C# has the same references and slots. A map keeps a task here, and the ledger says who pins it.
using var kept = new HashMap<int, Entry>(kernel, maxEntries: 16, name: "kept");
TaskStruct shell = kernel.Tasks.Fork(kernel.Tasks.Init, "bash");
using (kernel.Rcu.ReadLock())
{
    ref Entry entry = ref kept.LookupOrInit(shell.Pid);
    entry.Task.Exchange(shell.TryAcquire())?.Release();
}

kernel.Tasks.Exit(shell);
kernel.Tasks.Reap(shell);
kernel.Quiesce();
Console.WriteLine(kernel.Ledger.WhoPins(shell));

kept.Delete(shell.Pid);
kernel.Quiesce();
Console.WriteLine($"freed: {shell.IsFreed}");
kernel.Ledger.AssertAllReturned();

// Text becomes an object with one program, which user space calls: SEC("syscall").
ObjectSpec Assemble(string name, string text)
{
    AsmProgram code = TextAssembler.Assemble(text);
    BpfInsn[] insns = [.. code.Insns];
    foreach (AsmSymbol call in code.Symbols)            // kfuncs, whose numbers are those of the kernel's types
    {
        var func = kernel.Spec.Types.Find(call.Name, BtfKind.Func)!.Value;
        insns[call.InsnIdx] = new(
            insns[call.InsnIdx].Opcode, 0, BpfOp.PseudoKfuncCall, (short)func.BtfIdx, func.TypeId);
    }

    return new(name)
    {
        Progs =
        [
            new(name, ProgType.Syscall, [.. insns]) { SectionName = "syscall", IsSleepable = true, License = "GPL" },
        ],
    };
}

internal struct Entry
{
    public Kptr<TaskStruct> Task;
}
