using Kptr.Objects;

namespace Kptr.Tracing;

/// <summary>A TCP or UDP socket, as <c>/proc/PID/net</c> shows it.</summary>
/// <param name="Inode">The number in <c>socket:[INODE]</c>.</param>
/// <param name="Tuple">Its addresses; the source side is the local one.</param>
public readonly record struct ProcSocket(ulong Inode, FlowTuple Tuple);
