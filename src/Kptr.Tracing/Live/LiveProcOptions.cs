namespace Kptr.Tracing;

/// <summary>How a machine is followed by its <c>/proc</c>.</summary>
public sealed record LiveProcOptions
{
    /// <summary>Where its proc file system is.</summary>
    public string Proc
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Proc));
    } = "/proc";

    /// <summary>Where its cgroup file system is.</summary>
    public string Cgroup
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Cgroup));
    } = "/sys/fs/cgroup";

    /// <summary>
    /// How long from one look to the next. Looks that take longer come as often as leaves two thirds of a processor
    /// free.
    /// </summary>
    public TimeSpan Period { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Whose time the periods are of.</summary>
    public TimeProvider Time
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Time));
    } = TimeProvider.System;
}
