namespace Kptr.Fuzz;

/// <summary>One reader under fuzzing.</summary>
/// <param name="Name">Its name on the command line, and its folder under <c>corpus</c>.</param>
/// <param name="Run">
/// Takes any bytes. Returns whether they were accepted; throws where something happened that no documentation promises.
/// </param>
/// <param name="Seeds">The inputs that the corpus starts from, made of our own programs and declarations.</param>
internal sealed record FuzzTarget(string Name, Func<byte[], bool> Run, Func<IEnumerable<byte[]>> Seeds)
{
    /// <summary>Every target.</summary>
    internal static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("elf", ElfTarget.Run, ElfTarget.Seeds),
        new("btf", BtfTarget.Run, BtfTarget.Seeds),
        new("btf-ext", BtfExtTarget.Run, BtfExtTarget.Seeds),
        new("core", CoReTarget.Run, CoReTarget.Seeds),
        new("c", CDeclTarget.Run, CDeclTarget.Seeds),
        new("asm", AsmTarget.Run, AsmTarget.Seeds),
        new("raw", RawTarget.Run, RawTarget.Seeds),
        new("verifier", VerifierTarget.Run, VerifierTarget.Seeds),
    ];

    /// <summary>The folder of the committed corpus.</summary>
    internal string CorpusPath => Path.Combine(Tests.Shared.RepoRoot.Path, "tests", "Kptr.Fuzz", "corpus", Name);

    /// <summary>The target of a name.</summary>
    internal static FuzzTarget Find(string name) =>
        All.FirstOrDefault(t => t.Name == name)
        ?? throw new ArgumentException($"no target {name}: {string.Join(", ", All.Select(t => t.Name))}");
}
