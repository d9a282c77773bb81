namespace Kptr.Objects;

// Which cgroups have statistics to be added up, and of which CPUs.
public sealed partial class CgroupTree
{
    private readonly HashSet<(Cgroup Cgroup, int Cpu)> _updated = [];

    /// <summary>A cgroup, and so all above it, has something to add up of a CPU; not once it is released.</summary>
    internal void NoteUpdated(Cgroup cgroup, int cpu)
    {
        using (_lock.Enter())
        {
            for (var at = cgroup; at is { IsReleased: false } && _updated.Add((at, cpu)); at = at.Parent)
            {
            }
        }
    }

    /// <summary>
    /// What was noted of a cgroup and those below it, and is not from now on: CPU by CPU, children first.
    /// </summary>
    internal IReadOnlyList<(Cgroup Cgroup, int Cpu)> TakeUpdated(Cgroup cgroup)
    {
        using (_lock.Enter())
        {
            var taken = _updated.Where(u => u.Cgroup == cgroup || u.Cgroup.IsUnder(cgroup))
                .OrderBy(u => u.Cpu).ThenByDescending(u => u.Cgroup.Level).ThenBy(u => u.Cgroup.Id).ToList();
            _updated.ExceptWith(taken);
            return taken;
        }
    }
}
