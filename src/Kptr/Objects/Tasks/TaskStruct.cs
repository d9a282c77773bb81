namespace Kptr.Objects;

/// <summary>A thread of the modelled kernel.</summary>
public sealed class TaskStruct : KernelObject
{
    internal TaskStruct(KernelCore core)
        : base(core, "task_struct", "rcu_users.refs.counter")
    {
    }
}
