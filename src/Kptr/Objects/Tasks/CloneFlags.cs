namespace Kptr.Objects;

/// <summary>What a new task shares with its maker; the bits of <c>clone(2)</c> that the model acts on.</summary>
[Flags]
public enum CloneFlags : ulong
{
    /// <summary>A new process.</summary>
    None = 0,

    /// <summary>The address space is shared, not copied (<c>CLONE_VM</c>).</summary>
    Vm = 0x100,

    /// <summary>The open files are shared, not copied (<c>CLONE_FILES</c>); threads share them in any case.</summary>
    Files = 0x400,

    /// <summary>The new task is a thread of the same process (<c>CLONE_THREAD</c>).</summary>
    Thread = 0x1_0000,

    /// <summary>The new task is the first in a new pid namespace (<c>CLONE_NEWPID</c>).</summary>
    NewPid = 0x2000_0000,
}
