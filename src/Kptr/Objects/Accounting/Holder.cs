using System.Buffers.Binary;
using System.Globalization;

namespace Kptr.Objects;

/// <summary>Who has a reference. It is always exactly one of these.</summary>
public abstract record Holder
{
    private protected Holder()
    {
    }

    /// <summary>
    /// Whether the reference is safely kept: by the kernel, a live map element or a collection in one.
    /// </summary>
    public virtual bool IsSettled => false;

    /// <summary>Whether the modelled kernel itself holds it, and gives it back in time.</summary>
    public virtual bool IsKernel => false;

    /// <summary>
    /// Whether map memory that no key leads to keeps it by the rules of the kernel (see <see cref="RecycledHolder"/>),
    /// and gives it back with the map.
    /// </summary>
    public virtual bool IsRecycled => false;

    /// <summary>One word for the kind, used in JSON and as a metric tag.</summary>
    public abstract string Kind { get; }
}

/// <summary>The modelled kernel itself.</summary>
/// <param name="What">For what: <c>pid table</c>, <c>scheduler</c>.</param>
public sealed record KernelHolder(string What) : Holder
{
    /// <inheritdoc/>
    public override bool IsSettled => true;

    /// <inheritdoc/>
    public override bool IsKernel => true;

    /// <inheritdoc/>
    public override string Kind => "kernel";

    /// <inheritdoc/>
    public override string ToString() => $"kernel ({What})";
}

/// <summary>A run of a BPF program, or a C# scope that follows the same rule.</summary>
/// <param name="Prog">The program.</param>
/// <param name="RunId">Which run.</param>
/// <param name="Where">Register or stack slot; null where it was not found, and where another thread
/// runs the program now.</param>
/// <param name="IsActive">False when the program has returned: the reference is lost.</param>
public sealed record ProgramHolder(string Prog, long RunId, string? Where, bool IsActive) : Holder
{
    /// <inheritdoc/>
    public override string Kind => "program";

    /// <inheritdoc/>
    public override string ToString() =>
        $"program \"{Prog}\" run {RunId}{(Where is null ? "" : $" in {Where}")}{(IsActive ? "" : ", which has ended")}";
}

/// <summary>A kptr slot of a map element.</summary>
/// <param name="Map">Name of the map.</param>
/// <param name="Key">The key as <see cref="TextOf"/> writes it.</param>
/// <param name="Field">The field.</param>
/// <param name="Cpu">Of per-CPU maps: the CPU; else -1.</param>
public sealed record MapHolder(string Map, string Key, string Field, int Cpu = -1) : Holder
{
    /// <summary>A key as text: a signed number where it has 4 or 8 bytes, else its bytes in hex.</summary>
    public static string TextOf(ReadOnlySpan<byte> key) => key.Length switch
    {
        4 => BinaryPrimitives.ReadInt32LittleEndian(key).ToString(CultureInfo.InvariantCulture),
        8 => BinaryPrimitives.ReadInt64LittleEndian(key).ToString(CultureInfo.InvariantCulture),
        _ => "0x" + Convert.ToHexStringLower(key),
    };

    /// <inheritdoc/>
    public override bool IsSettled => true;

    /// <inheritdoc/>
    public override string Kind => "map";

    /// <inheritdoc/>
    public override string ToString() => $"map \"{Map}\", key {Key}, field {Field}{(Cpu < 0 ? "" : $", cpu {Cpu}")}";
}

/// <summary>
/// Memory of a map that no key leads to now (on a free list, spare, or waiting for a grace period), on a kernel that
/// empties values when they end: nothing should be in it.
/// </summary>
/// <param name="Map">Name of the map.</param>
/// <param name="Field">The field.</param>
public sealed record UnlinkedHolder(string Map, string Field) : Holder
{
    /// <inheritdoc/>
    public override string Kind => "unlinked";

    /// <inheritdoc/>
    public override string ToString() => $"unlinked element of map \"{Map}\", field {Field}";
}

/// <summary>
/// Memory of a map that no key leads to now, on a kernel that leaves kptrs where they are when a value ends (the
/// recycle policy, Linux 7.2): the next insert that gets the memory finds the kptr, and what nobody found goes with the
/// map. So it is no leak as long as the map is there.
/// </summary>
/// <param name="Map">Name of the map.</param>
/// <param name="Field">The field.</param>
public sealed record RecycledHolder(string Map, string Field) : Holder
{
    /// <inheritdoc/>
    public override bool IsSettled => true;

    /// <inheritdoc/>
    public override bool IsRecycled => true;

    /// <inheritdoc/>
    public override string Kind => "recycled";

    /// <inheritdoc/>
    public override string ToString() => $"recycled memory of map \"{Map}\", field {Field}";
}

/// <summary>A list or red-black tree that holds the object as a node.</summary>
/// <param name="Collection"><c>list</c> or <c>rbtree</c>.</param>
/// <param name="In">Where the root is.</param>
public sealed record CollectionHolder(string Collection, Holder In) : Holder
{
    /// <inheritdoc/>
    public override bool IsSettled => In?.IsSettled ?? false;

    /// <inheritdoc/>
    public override bool IsRecycled => In?.IsRecycled ?? false;

    /// <inheritdoc/>
    public override string Kind => "collection";

    /// <inheritdoc/>
    public override string ToString() => $"{Collection} in {In}";
}

/// <summary>A kptr field of another object.</summary>
/// <param name="Owner">The object, as text.</param>
/// <param name="Field">The field or its offset.</param>
/// <param name="IsAlive">Whether the owner is itself alive.</param>
public sealed record ObjectHolder(string Owner, string Field, bool IsAlive) : Holder
{
    /// <inheritdoc/>
    public override bool IsSettled => IsAlive;

    /// <inheritdoc/>
    public override string Kind => "object";

    /// <inheritdoc/>
    public override string ToString() => $"{Owner}, field {Field}";
}

/// <summary>Nobody has a reference left: a callback or work item that is waiting to run will free the object.</summary>
/// <param name="Queue">The queue.</param>
/// <param name="Work">The kernel's name for the callback.</param>
public sealed record DeferredHolder(string Queue, string Work) : Holder
{
    /// <inheritdoc/>
    public override bool IsSettled => true;

    /// <inheritdoc/>
    public override bool IsKernel => true;

    /// <inheritdoc/>
    public override string Kind => "deferred";

    /// <inheritdoc/>
    public override string ToString() => $"deferred work ({Work}, {Queue})";
}

/// <summary>C# code that owns a <see cref="KernelRef{T}"/>.</summary>
/// <param name="Site">Where it got the reference.</param>
public sealed record CSharpHolder(RefSite Site) : Holder
{
    /// <inheritdoc/>
    public override string Kind => "csharp";

    /// <inheritdoc/>
    public override string ToString() => $"C# at {Site}";
}

/// <summary>Somebody: the count says that the reference exists, and nobody wrote down who has it.</summary>
public sealed record UnknownHolder : Holder
{
    /// <inheritdoc/>
    public override string Kind => "unknown";

    /// <inheritdoc/>
    public override string ToString() => "somebody (a ledger level above Counts would know)";
}
