using System.Text;
using Kptr.Execution;
using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr;

/// <summary>What a program is run with (<c>BPF_PROG_TEST_RUN</c>), where that is more than bytes of context.</summary>
public sealed record TestInput
{
    /// <summary>
    /// The packet, from its Ethernet header on; for socket messages the message, for socket options the option's value.
    /// </summary>
    public ReadOnlyMemory<byte> Packet { get; init; }

    /// <summary>
    /// The context as the user ABI has it (<c>struct __sk_buff</c>, <c>xdp_md</c>, <c>bpf_sock_addr</c>...); what is
    /// missing is zero. Pointers and lengths in it are the model's.
    /// </summary>
    public ReadOnlyMemory<byte> Context { get; init; }

    /// <summary>What the system call around a cgroup program would return (<c>bpf_get_retval</c>).</summary>
    public int Retval { get; init; }

    /// <summary>Sizes.</summary>
    public override string ToString() =>
        $"packet of {Packet.Length} bytes, context of {Context.Length}{(Socket is null ? "" : $", {Socket}")}";

    /// <summary>The socket the context is about; null makes one for the run, as Linux does.</summary>
    public Sock? Socket { get; init; }

    /// <summary>What a <c>cgroup/sysctl</c> program is asked about; null for none.</summary>
    public SysctlInput? Sysctl { get; init; }
}

/// <summary>A parameter of the kernel that somebody reads or writes (<c>/proc/sys</c>).</summary>
/// <param name="Name">Its path below <c>/proc/sys</c>: <c>net/ipv4/tcp_mem</c>.</param>
/// <param name="Value">What it is, as its file has it.</param>
/// <remarks>
/// Whether it is written is a word of the context (<c>struct bpf_sysctl</c>); with no context given, it is where there
/// is a new value.
/// </remarks>
public sealed record SysctlInput(string Name, string Value)
{
    /// <summary>What is written; null where it is read.</summary>
    public string? NewValue { get; init; }

    /// <summary>Name and values.</summary>
    public override string ToString() => NewValue is { } written
        ? $"{Name}: {Value.TrimEnd()}, written {written.TrimEnd()}" : $"{Name}: {Value.TrimEnd()}";

    internal SysctlAccess ToAccess() => new(Name, Encoding.UTF8.GetBytes(Value))
    {
        New = NewValue is { } written ? (ReadOnlyMemory<byte>?)Encoding.UTF8.GetBytes(written) : null,
    };
}

/// <summary>How a run with a <see cref="TestInput"/> ended.</summary>
/// <param name="ReturnValue">What the program returned; 0 after a fault.</param>
/// <param name="Fault">As in <see cref="ProgramResult"/>.</param>
/// <param name="Packet">The packet as the program left it; of a program that does not see the Ethernet
/// header, that is zero.</param>
/// <param name="Context">The user ABI's part of the context as the program left it.</param>
public sealed record TestOutput(
    long ReturnValue, RunFault? Fault, ReadOnlyMemory<byte> Packet, ReadOnlyMemory<byte> Context)
{
    /// <summary>The device, or the key in a map, that the program redirected to; null for none.</summary>
    public long? RedirectTarget { get; init; }

    /// <summary>The socket in a map that the program redirected to; no reference goes with it. Null for none.</summary>
    public Sock? RedirectSocket { get; init; }

    /// <summary>What a cgroup program set the system call's result to (<c>bpf_set_retval</c>); 0 otherwise.</summary>
    public int Retval { get; init; }

    /// <summary>The path that a program chose for a Unix socket's address (<c>bpf_sock_addr_set_sun_path</c>); null for
    /// none.</summary>
    public ReadOnlyMemory<byte>? UnixPath { get; init; }

    /// <summary>What is written to a parameter of the kernel in the end (<c>bpf_sysctl_set_new_value</c>); null where
    /// nothing is.</summary>
    public ReadOnlyMemory<byte>? SysctlValue { get; init; }

    /// <summary>Copies of the packet that the program sent elsewhere (<c>bpf_clone_redirect</c>).</summary>
    public int CloneCount { get; init; }

    /// <summary>What came back.</summary>
    public override string ToString() =>
        $"returned {ReturnValue}{(Fault is null ? "" : $", {Fault}")}, "
        + $"packet of {Packet.Length} bytes, context of {Context.Length}";

    /// <summary>
    /// The socket that the program assigned (<c>bpf_sk_assign</c>); no reference goes with it. Null for none.
    /// </summary>
    public Sock? Assigned { get; init; }
}
