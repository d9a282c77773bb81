using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Programs;

// What must hold after each step, and in the end.
internal sealed partial class Stage
{
    private void Judge(string result)
    {
        CheckFaults();
        var snapshot = _kernel.Ledger.Snapshot();
        CheckLost(snapshot);
        CheckCounts(snapshot);
        Moments.Add(Moment.Of(_object, snapshot, result));
    }

    private void CheckFaults()
    {
        foreach (var fault in _kernel.TakeFaults())
        {
            if (!IsJudged(fault))
            {
                Remarks.Add($"{fault.Object}: a run was not judged: {fault.Code}");
                continue;
            }

            var text = _calls.Blame(fault.ToString(), fault.Site, fault.EarlierSite);
            throw fault.Code switch
            {
                DiagCode.RefCountUnderflow or DiagCode.RefReleasedTwice or DiagCode.RefUsedAfterMove =>
                    new BrokenRuleException(
                        ProgRules.ReleasedOnce, "the verifier saw each reference released once", text),
                DiagCode.RefDropped or DiagCode.UnreleasedRefInScope => new BrokenRuleException(
                    ProgRules.NothingLost, "the verifier saw every reference released", text),
                _ => new BrokenRuleException(ProgRules.NoFaults, "the verifier accepted the program", text),
            };
        }
    }

    /// <summary>Whether a fault says something of the verifier or of a body, and not that the model has none.</summary>
    private bool IsJudged(KernelFault fault) => fault.Code switch
    {
        DiagCode.RunNoSuchCall or DiagCode.CallNotModelled or DiagCode.RunOutOfFuel or DiagCode.RunCancelled => false,
        DiagCode.RunBadAccess or DiagCode.CallBadObject => fault.Site.Prog is not { } name
            || !_object.Programs.TryGetValue(name, out var program) || !HasKernelVariable(program.Spec),
        _ => true,
    };

    private static bool HasKernelVariable(ProgSpec spec) =>
        spec.Insns.Any(i => i.Opcode == BpfOp.LdImm64 && i.Src == BpfOp.PseudoBtfId);

    private void CheckLost(LedgerSnapshot snapshot)
    {
        var lost = snapshot.Entries.FirstOrDefault(
            e => e.Holder is ProgramHolder { IsActive: false } or CSharpHolder { Site.Prog: not null }
                or ObjectHolder { IsAlive: false });
        if (lost is not null)
        {
            throw new BrokenRuleException(
                ProgRules.NothingLost, "the verifier saw every reference released",
                "the ledger knows of one that was not: " + Text(lost));
        }
    }

    private void CheckCounts(LedgerSnapshot snapshot)
    {
        var holders = snapshot.Entries.ToLookup(e => e.Address);
        foreach (var obj in _tasks.Concat<KernelObject>(_cgroups))
        {
            var entries = holders[obj.Address].Where(e => e.Holder is not DeferredHolder).ToList();
            if (entries.Count > obj.Count.Value)
            {
                throw new BrokenRuleException(
                    ProgRules.ReleasedOnce, $"{entries.Count} references on {obj}: {string.Join("; ", entries)}",
                    $"its count is {obj.Count.Value}: one was given back that its holder still has");
            }
        }
    }

    private void EndEverything()
    {
        _plan.Clear();
        foreach (var task in _kernel.Tasks.All.Where(t => t != _kernel.Tasks.Init).Reverse())
        {
            if (task.Phase == TaskPhase.Alive)
            {
                _kernel.Tasks.ExitProcess(task);
            }
        }

        foreach (var task in _kernel.Tasks.All.Where(t => t.Phase == TaskPhase.Zombie))
        {
            _kernel.Tasks.Reap(task);
        }

        _cgroups.ForEach(c => _kernel.Cgroups.Remove(c));
        _tasks.Clear();
        _cgroups.Clear();
        _kernel.Quiesce();
        CheckFaults();
        var snapshot = _kernel.Ledger.Snapshot();
        CheckLost(snapshot);
        foreach (var entry in snapshot.Entries)
        {
            if (entry is { Holder: MapHolder { Map: var map }, TypeName: "task_struct" or "cgroup" })
            {
                Remarks.Add($"map \"{map}\" holds objects of type {entry.TypeName} that are long gone, "
                    + "until somebody deletes the element or the object is unloaded");
            }
        }
    }

    private void Unload()
    {
        _links.ForEach(l => l.Dispose());
        _object.Dispose();
        _kernel.Quiesce();
        CheckFaults();
        var left = _kernel.Ledger.Snapshot().Entries.Where(e => !e.Holder.IsKernel).ToList();
        if (left.Count > 0)
        {
            throw new BrokenRuleException(
                ProgRules.AllReturned, "nothing is held", $"{left.Count} references are: {Text(left[0])}");
        }
    }

    private string Text(LedgerEntry entry) => _calls.Blame(
        $"{entry.Object}: {entry}", entry.AcquiredAt, entry.HeldSince,
        entry.Holder is CSharpHolder { Site: var site } ? site : RefSite.Unknown);
}
