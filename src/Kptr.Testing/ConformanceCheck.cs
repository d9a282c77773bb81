namespace Kptr.Testing;

/// <summary>One thing that is asked of every map, object or kfunc.</summary>
/// <param name="Name">Its name; <see cref="ConformanceOptions.Only"/> takes it.</param>
/// <param name="Rule">The rule, in one sentence.</param>
/// <param name="Why">Why it exists: what goes wrong where it is broken, and how it is looked for.</param>
public sealed record ConformanceCheck(string Name, string Rule, string Why)
{
    /// <summary>Name and rule.</summary>
    public override string ToString() => $"{Name}: {Rule}";
}
