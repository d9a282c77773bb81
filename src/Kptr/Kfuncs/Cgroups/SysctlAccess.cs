namespace Kptr.Kfuncs;

/// <summary>A parameter of the kernel (<c>/proc/sys</c>) that somebody reads or writes.</summary>
/// <param name="name">Its path below <c>/proc/sys</c>: <c>net/ipv4/tcp_mem</c>.</param>
/// <param name="current">What it is, with the line's end as the file has it.</param>
internal sealed class SysctlAccess(string name, ReadOnlyMemory<byte> current)
{
    internal string Name { get; } = name;

    internal ReadOnlyMemory<byte> Current { get; } = current;

    /// <summary>What is written; null where it is read. A program may write something else instead.</summary>
    internal ReadOnlyMemory<byte>? New { get; set; }
}
