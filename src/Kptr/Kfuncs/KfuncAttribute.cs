using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Declares a static method as a kfunc: what the verifier reads, what the machine runs and what C# calls.
/// </summary>
/// <remarks>Several on one method declare it under several names, or with other flags for other profiles.</remarks>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class KfuncAttribute : Attribute
{
    /// <summary>Declares a kfunc.</summary>
    /// <param name="name">The kernel's name, <c>bpf_task_acquire</c>.</param>
    /// <param name="flags">Its <c>KF_</c> flags.</param>
    public KfuncAttribute(string name, KfuncFlags flags = KfuncFlags.None)
    {
        Name = name;
        Flags = flags;
    }

    /// <summary>The kernel's name.</summary>
    public string Name { get; }

    /// <summary>The <c>KF_</c> flags.</summary>
    public KfuncFlags Flags { get; }

    /// <summary>The C prototype without a semicolon; parameter suffixes (<c>__sz</c>, <c>__k</c>...) count.</summary>
    public string Prototype { get; set; } = "";

    /// <summary>
    /// Where it may be called from; <see cref="KfuncHooks.None"/> takes that of the class
    /// (<see cref="KfuncSetAttribute"/>), and without one the generic set.
    /// </summary>
    public KfuncHooks Hooks { get; set; }

    /// <summary>Kernel versions that have it like this.</summary>
    public ProfileSet Profiles { get; set; } = ProfileSet.Linux6_12 | ProfileSet.Linux7_2;

    /// <summary>Name and flags.</summary>
    public override string ToString() => $"kfunc {Name} ({Flags})";

    /// <summary>
    /// The struct whose <c>__kptr</c> fields this kfunc destroys (<c>task_struct</c>), or null
    /// where it is no destructor.
    /// </summary>
    public string? DestructorOf { get; set; }
}
