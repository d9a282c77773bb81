using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>
/// A loaded program as an object of the kernel (<c>struct bpf_prog</c>): what links and callbacks set for later pin.
/// </summary>
/// <remarks>Its references are the kernel's own, each with what it is for; ask <see cref="Ledger.WhoPins"/>.</remarks>
public sealed class ProgObject : KernelObject
{
    private const string CountField = "kptr.refcnt";
    private static readonly FieldSpec[] Fields = [FieldSpec.Count(CountField)];
    private readonly KernelUsers _users = new();
    private readonly Action _onLastPut;

    /// <summary>Makes the object; its one reference is the loader's.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="name">The program's name.</param>
    /// <param name="loader">Who has the reference, in words.</param>
    /// <param name="onLastPut">Called once, when nobody has the program any more.</param>
    internal ProgObject(KernelCore core, string name, string loader, Action onLastPut)
        : base(core, core.LayoutOf("bpf_prog", Fields), CountField)
    {
        Name = name;
        _onLastPut = onLastPut;
        _users.Add(loader);
        Publish();
    }

    /// <summary>The program's name.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders() => _users.Holders();

    /// <summary>Type and name.</summary>
    public override string ToString() => $"bpf_prog \"{Name}\"";

    /// <summary>Takes a reference for something that will need the program; the program must be held already.</summary>
    internal void Hold(string what) =>
        Diagnostics.Invariant.That(TryHold(what), $"{this} is held by somebody who does not have it");

    /// <summary>Takes a reference for something that will need the program, unless nobody has it any more.</summary>
    internal bool TryHold(string what)
    {
        if (!TryAcquireCount())
        {
            return false;
        }

        _users.Add(what);
        return true;
    }

    /// <summary>Gives back what <see cref="Hold"/> took for the same reason.</summary>
    internal void Put(string what)
    {
        _users.Remove(what);
        ReleaseCount();
    }

    /// <inheritdoc/>
    protected override void OnLastRelease()
    {
        _onLastPut();
        base.OnLastRelease();
    }
}
