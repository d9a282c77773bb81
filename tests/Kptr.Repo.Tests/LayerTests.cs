namespace Kptr.Repo.Tests;

/// <summary>Which folder of src/Kptr may use which, read from the compiled assembly.</summary>
public class LayerTests
{
    private const string Exempt = "Kptr.Verifier.VerifiedProgram";

    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Diagnostics"] = [],
        ["Isa"] = ["Diagnostics"],
        ["Btf"] = ["Diagnostics"],
        ["Specs"] = ["Isa", "Btf", "Diagnostics"],
        ["Elf"] = ["Specs", "Isa", "Btf", "Diagnostics"],
        ["Verifier"] = ["Specs", "Isa", "Btf", "Diagnostics"],
        ["Objects"] = ["Specs", "Btf", "Diagnostics"],
        ["Maps"] = ["Objects", "Specs", "Btf", "Diagnostics"],
        ["Kfuncs"] = ["Maps", "Objects", "Specs", "Btf", "Diagnostics"],
        ["Execution"] = ["Kfuncs", "Maps", "Objects", "Specs", "Isa", "Btf", "Diagnostics"],
    };

    /// <summary>Parts of the verifier with a wall of their own, and what else of the verifier each may use.</summary>
    private static readonly Dictionary<string, string[]> VerifierParts = new()
    {
        ["Callees"] =
        [
            "Refusal", "State.LockKind", "Cfg.ICallFacts", "Cfg.CallTraits", "Cfg.FastcallSpills", "Limits",
            "Liveness.ICallUses", "Liveness.StackUse", "Liveness.ConstantRegs",
        ],
        ["Cfg"] = ["SubprogInfo", "Refusal"],
        ["Context"] =
        [
            "State.RegType", "State.RegTypes", "State.RetRange", "Refusal", "BtfWords", "ILogLines",
        ],
        ["Liveness"] =
        [
            "SubprogInfo", "Refusal", "Limits", "Cfg.CodeMarks", "Cfg.SubprogTable", "Cfg.PostOrder", "Cfg.Flow",
            "Cfg.LiveRegisters", "State.VerifierState", "State.FuncState", "State.RegState", "State.RegType",
            "State.StackSlot", "State.SlotKind",
        ],
        ["Precision"] =
        [
            "State.VerifierState", "State.FuncState", "State.RegState", "State.RegType", "State.StackSlot",
            "State.LiveMarks", "Limits", "SubprogInfo", "Cfg.SubprogTable", "Cfg.ICallFacts", "Cfg.CallTraits",
        ],
        ["Pruning"] =
        [
            "State.VerifierState", "State.FuncState", "State.RegState", "State.RegType", "State.RegTypes",
            "State.StackSlot", "State.SlotKind", "State.RefState", "State.LiveMarks", "State.IterState",
            "State.StatePool", "State.HeldLock", "State.LockKind", "State.IrqSave", "State.LiveReads", "Limits",
            "Cfg.LoopComponents", "Scalars.ScalarRange", "Scalars.Tnum",
            "Precision.HistEntry", "Precision.PathHistory", "Precision.PrecisionMarks",
        ],
        ["Scalars"] = [],
        ["State"] = ["Limits", "Scalars.ScalarRange", "Scalars.Tnum"],
    };

    private static readonly Lazy<IReadOnlyList<TypeUse>> Uses = new(
        () => AssemblyUses.Read(typeof(Btf.BtfSpec).Assembly.Location));

    public static TheoryData<string> Folders => [.. Allowed.Keys];

    public static TheoryData<string> Parts => [.. VerifierParts.Keys];

    [Theory, MemberData(nameof(Folders))]
    public void Folder_UsesOnlyTheLayersBelowIt(string folder)
    {
        var wrong = Uses.Value
            // constant tables the compiler puts aside
            .Where(u => !u.Used.Contains("<PrivateImpl", StringComparison.Ordinal))
            .Where(u => Folder(u.User) == folder && !IsMadeByCompiler(u.Used) && Folder(u.Used) is var used
                && used != folder && !IsAllowed(folder, used, u.Used))
            .Select(u => $"{u.User} uses {u.Used}")
            .Distinct();
        wrong.Should().BeEmpty();
    }

    [Theory, MemberData(nameof(Parts))]
    public void PartOfTheVerifier_UsesNothingElseOfIt(string part)
    {
        const string verifier = "Kptr.Verifier.";
        var own = verifier + part + ".";
        var uses = Uses.Value.Where(u => u.User.StartsWith(own, StringComparison.Ordinal)).ToList();

        uses.Should().Contain(u => u.Used.StartsWith(own, StringComparison.Ordinal), "the part has types");
        uses.Where(u => u.Used.StartsWith(verifier, StringComparison.Ordinal)
                && !u.Used.StartsWith(own, StringComparison.Ordinal)
                && !VerifierParts[part].Contains(u.Used[verifier.Length..]))
            .Select(u => $"{u.User} uses {u.Used}").Should().BeEmpty();
    }

    [Theory, MemberData(nameof(Parts))]
    public void PartOfTheVerifier_HasItsFilesAndNoOthers(string part)
    {
        var inFolder = Directory.GetFiles(Repo.PathOf("src", "Kptr", "Verifier", part), "*.cs");
        inFolder.Should().OnlyContain(f => File.ReadAllText(f).Contains($"namespace Kptr.Verifier.{part};"));
    }

    [Fact]
    public void EveryFolder_HasALayer()
    {
        var folders = Directory.GetDirectories(Repo.PathOf("src", "Kptr")).Select(d => Path.GetFileName(d)!);
        folders.Except(["bin", "obj"]).Should().BeSubsetOf(Allowed.Keys);
    }

    [Fact]
    public void TheReader_SeesUsesAtAll()
    {
        Uses.Value.Should().Contain(u => u.User == "Kptr.Specs.MapSpec" && u.Used == "Kptr.Btf.BtfRecord");
    }

    // Verifier is a layer of blueprints: Execution takes what it proved, and nothing else of it.
    private static bool IsAllowed(string user, string used, string usedType) =>
        Allowed[user].Contains(used) || (user == "Execution" && usedType.StartsWith(Exempt, StringComparison.Ordinal));

    // Collection expressions and string switches lean on types without a namespace that the compiler adds.
    private static bool IsMadeByCompiler(string type) => type.StartsWith(".<", StringComparison.Ordinal);

    // "Kptr.Isa.BpfInsn" is of Isa; "Kptr.KernelModel" is of the root, which is no layer a folder may use.
    private static string Folder(string type) =>
        type.Split('.') is ["Kptr", var folder, _, ..] ? folder : "(root)";
}
