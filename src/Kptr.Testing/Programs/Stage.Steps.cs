using System.Globalization;
using Kptr.Objects;

namespace Kptr.Testing.Programs;

// What happens in each step.
internal sealed partial class Stage
{
    private const int MicrosecondsMax = 2000;

    private string Perform(ProgStep step, TaskStruct task, Action<string> say)
    {
        switch (step.Kind)
        {
            case ProgStepKind.RunProgram:
                return RunProgram(step, task, say);
            case ProgStepKind.Update or ProgStepKind.Delete:
                return ChangeMap(step, say);
            case ProgStepKind.Fail:
                return Fail(step, say);
            case ProgStepKind.Fork or ProgStepKind.ForkThread or ProgStepKind.Exec or ProgStepKind.Exit
                or ProgStepKind.Reap:
                return ChangeTask(step, task, say);
            case ProgStepKind.CreateCgroup or ProgStepKind.MoveToCgroup or ProgStepKind.RemoveCgroup:
                return ChangeCgroup(step, task, say);
            case ProgStepKind.StepRcu:
                say("an RCU grace period ends");
                _kernel.Rcu.Step();
                return "done";
            case ProgStepKind.StepTrace:
                say("a grace period of RCU tasks trace ends");
                _kernel.RcuTrace.Step();
                return "done";
            case ProgStepKind.StepWork:
                say("a work item of each queue runs");
                _kernel.IrqWork.Step();
                _kernel.Work.Step();
                return "done";
            case ProgStepKind.AdvanceClock:
                var microseconds = (step.Value * 397) % MicrosecondsMax;
                say($"{microseconds} microseconds pass");
                _kernel.VirtualClock.Advance(TimeSpan.FromMicroseconds(microseconds));
                return "done";
            default:
                say("everything deferred runs");
                _kernel.Quiesce();
                return "done";
        }
    }

    private string RunProgram(ProgStep step, TaskStruct task, Action<string> say)
    {
        if (_programs.Length == 0)
        {
            return "there is no program";
        }

        var program = _programs[step.Which % _programs.Length];
        say($"run \"{program.Name}\" on CPU {_kernel.CurrentCpu} for {task}");
        if (_tasks.Count == 0 || _cgroups.Count == 0)
        {
            return "nobody is there";
        }

        var answer = _starter.Run(program, step, InputsOf(step));
        say($"run \"{program.Name}\" {answer.Text} on CPU {_kernel.CurrentCpu} for {task}");
        if (answer.NotRun is { } why)
        {
            Remarks.Add($"\"{program.Name}\" not run: {why}");
        }

        return answer.Result;
    }

    private string ChangeMap(ProgStep step, Action<string> say)
    {
        if (_maps.Length == 0)
        {
            return "there is no map";
        }

        var map = _maps[step.Which % _maps.Length];
        var inputs = InputsOf(step);
        var key = inputs.Key(map.KeySize);
        var keyText = map.KeySize == 0 ? "" : $" key {Convert.ToHexStringLower(key)}";
        if (step.Kind == ProgStepKind.Delete)
        {
            say($"user space deletes{keyText} of map \"{map.Name}\"");
            return $"{map.DeleteElem(key)}";
        }

        say($"user space updates{keyText} of map \"{map.Name}\"");
        return $"{map.UpdateElem(key, inputs.Value(map.UserValueSize))}";
    }

    private string Fail(ProgStep step, Action<string> say)
    {
        var (name, nth) = (_points[step.Which % _points.Length], 1 + (step.Value % FailsInARow));
        say($"let {name} fail, the {nth.ToString(CultureInfo.InvariantCulture)}. time from now");
        _plan.Fail(name, nth);
        return "done";
    }

    private string ChangeTask(ProgStep step, TaskStruct task, Action<string> say)
    {
        switch (step.Kind)
        {
            case ProgStepKind.Fork or ProgStepKind.ForkThread:
                var parent = task.Phase == TaskPhase.Alive ? task : _kernel.Tasks.Init;
                var isThread = step.Kind == ProgStepKind.ForkThread && parent != _kernel.Tasks.Init;
                var comm = $"task {_named++}";
                say($"{parent} {(isThread ? "starts a thread" : "forks")}, {comm}");
                var child = isThread
                    ? _kernel.Tasks.ForkThread(parent, comm) : _kernel.Tasks.Fork(parent, comm);
                AddTask(child);
                return $"pid {child.Pid}";
            case ProgStepKind.Exec when task.Phase == TaskPhase.Alive && task != _kernel.Tasks.Init:
                say($"{task} executes another program");
                _kernel.Tasks.Exec(task, $"program {_named++}");
                return "done";
            case ProgStepKind.Exit when task.Phase == TaskPhase.Alive && task != _kernel.Tasks.Init:
                say($"{task} exits");
                _kernel.Tasks.Exit(task, step.Value);
                return "done";
            case ProgStepKind.Reap when task.Phase == TaskPhase.Zombie:
                say($"{task} is reaped");
                return _kernel.Tasks.Reap(task) ? "done" : "not yet";
            default:
                say($"{step.Kind} of {task}");
                return "not possible now";
        }
    }

    private string ChangeCgroup(ProgStep step, TaskStruct task, Action<string> say)
    {
        if (step.Kind == ProgStepKind.CreateCgroup || _cgroups.Count == 0)
        {
            var name = $"cgroup {_named++}";
            say($"{name} is made");
            _cgroups.Add(_kernel.Cgroups.Create(name));
            return "done";
        }

        var cgroup = _cgroups[step.Value % _cgroups.Count];
        if (step.Kind == ProgStepKind.MoveToCgroup)
        {
            say($"{task} moves to {cgroup}");
            return task.Phase == TaskPhase.Alive ? $"{_kernel.Cgroups.Attach(cgroup, task)}" : "not possible now";
        }

        say($"{cgroup} is removed");
        return $"{_kernel.Cgroups.Remove(cgroup)}";
    }

    private Inputs InputsOf(ProgStep step) => new(
        step.Value, _tasks.Count == 0 ? [_kernel.Tasks.Init.Pid] : [TaskOf(step).Pid, .. _tasks.Select(t => t.Pid)]);
}
