namespace Kptr.Objects;

/// <summary>A failure that a <see cref="FaultPlan"/> made happen.</summary>
/// <param name="Name">Name of the <see cref="FaultPoint"/>.</param>
/// <param name="Nth">Which pass through that point it was while the plan had rules, from 1.</param>
/// <param name="Subject">What failed there: a map's name, an object's type, a program's name; may be empty.</param>
/// <param name="Site">The program's instruction or the line of C# that met it; unknown where that is not known.</param>
public sealed record InjectedFault(string Name, long Nth, string Subject, RefSite Site)
{
    /// <summary>All of it: <c>alloc_elem #3 of "tasks" at ...</c>.</summary>
    public override string ToString() =>
        $"{Name} #{Nth}{(Subject.Length == 0 ? "" : $" of \"{Subject}\"")}{(Site.IsKnown ? $" at {Site}" : "")}";
}
