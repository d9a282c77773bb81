namespace Kptr.Maps;

/// <summary>Whose readers must have ended before something may happen.</summary>
[Flags]
public enum GracePeriods
{
    /// <summary>Nobody's; nothing can be put off by that.</summary>
    None = 0,

    /// <summary>Plain RCU: programs that cannot sleep, system calls, C# inside <c>Rcu.ReadLock</c>.</summary>
    Rcu = 1,

    /// <summary>RCU tasks trace: programs that can sleep.</summary>
    TasksTrace = 2,

    /// <summary>Both, one after the other.</summary>
    Both = Rcu | TasksTrace,
}
