using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Kptr.Generators.Tests;

/// <summary>What the generator makes of a user's file, and what it says where it can make nothing.</summary>
public class GeneratorTests
{
    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    public static TheoryData<string> FittingMethods =>
    [
        "public static void F() { }",
        "internal static ulong F(ulong a, long b, uint c, int d, byte e) => a;",
        "internal static bool F(bool a, DayOfWeek day) => a;",
        "internal static sbyte F(sbyte a, short b, ushort c) => a;",
        "internal static KernelRef<TaskStruct>? F(KernelRef<TaskStruct> a, KernelRef<TaskStruct>? b,"
            + " TaskStruct c, TaskStruct? d) => b;",
        "internal static TaskStruct? F(ProgContext ctx, KernelCore core, ulong a, ulong b, ulong c, ulong d, ulong e)"
            + " => null;",
        "internal static KernelRef<TaskStruct> F(KernelRef<TaskStruct> @ref) => @ref;",
        "internal static void F(ulong a, [CallerFilePath] string f = \"\", [CallerLineNumber] int l = 0,"
            + " [CallerMemberName] string? m = null) { }",
        "protected internal static DayOfWeek @checked(DayOfWeek day) => day;",
    ];

    [Theory, MemberData(nameof(FittingMethods))]
    public void Method_WhoseParametersFitRegisters_GetsATableThatCompiles(string method)
    {
        var (faults, made) = Run(InClass(method));
        faults.Should().BeEmpty();
        made.Should().Contain("KfuncTableAttribute(typeof(global::Own.Kfuncs))").And.Contain("\"own\"");
    }

    [Theory]
    [InlineData("internal static void F(string a) { }", "KPTR011")]
    [InlineData("internal static void F(ref int a) { }", "KPTR011")]
    [InlineData("internal static void F(double a) { }", "KPTR011")]
    [InlineData("internal static string F() => \"\";", "KPTR011")]
    [InlineData("internal static DateTime F() => default;", "KPTR011")]
    [InlineData("internal static void F(int a, int b, int c, int d, int e, int f) { }", "KPTR012")]
    [InlineData("private static void F() { }", "KPTR013")]
    [InlineData("internal static void F<T>() { }", "KPTR013")]
    [InlineData("internal void F() { }", "KPTR013")]
    public void Method_ThatCannotBeCalledThroughRegisters_IsAnError(string method, string rule)
    {
        var (faults, made) = Run(InClass(method));
        faults.Should().ContainSingle().Which.Should().Be(rule);
        made.Should().BeEmpty();
    }

    [Theory]
    [InlineData("class Outer { private class Kfuncs { [Kfunc(\"own\")] internal static void F() { } } }")]
    [InlineData("file class Kfuncs { [Kfunc(\"own\")] internal static void F() { } }")]
    [InlineData("class Kfuncs<T> { [Kfunc(\"own\")] internal static void F() { } }")]
    public void Class_ThatTheTableCannotName_IsAnError(string declaration) =>
        Run(declaration).Faults.Should().Equal("KPTR013");

    [Fact]
    public void Attribute_IsWrittenAgain_WithTheHooksOfItsClass()
    {
        var (faults, made) = Run("""
            [KfuncSet(KfuncHooks.Xdp)] static class Kfuncs
            {
                [Kfunc("a\"b", KfuncFlags.Acquire | KfuncFlags.RetNull, Prototype = "x", DestructorOf = null)]
                [Kfunc("c", Hooks = KfuncHooks.Tc)]
                internal static void F() { }
            }
            """);
        faults.Should().BeEmpty();
        made.Should().Contain("\"a\\\"b\"").And.Contain(
            "Prototype = \"x\", DestructorOf = null, Hooks = (global::Kptr.Kfuncs.KfuncHooks)(2)")
            .And.Contain("Hooks = (global::Kptr.Kfuncs.KfuncHooks)(4)");
    }

    [Fact]
    public void Structs_AreNamed_WithThoseInside_WhereCodeCanNameThem()
    {
        var (faults, made) = Run("""
            struct Value
            {
                public Inner A; public Pair<int> B; (Kptr<TaskStruct>, long)? c; Hidden d; Kptr<TaskStruct> e;
                unsafe fixed byte f[4];
                private struct Hidden { }
            }
            struct Inner { Deeper x; }
            struct Deeper { int x; }
            struct Pair<T> where T : unmanaged { Single<T> x; }
            record struct Single<T>(T X) where T : unmanaged;
            struct Managed { string x; }
            struct Holder { Managed x; }
            """);
        faults.Should().BeEmpty();
        made.Split('\n').Where(l => l.StartsWith("[assembly: ", StringComparison.Ordinal))
            .Select(l => l["[assembly: global::Kptr.Maps.ValueStruct(typeof(".Length..^3])
            .Should().Equal(
                "(global::Kptr.Objects.Kptr<global::Kptr.Objects.TaskStruct>, long)",
                "(global::Kptr.Objects.Kptr<global::Kptr.Objects.TaskStruct>, long)?",
                "global::Own.Deeper",
                "global::Own.Inner",
                "global::Own.Pair<int>",
                "global::Own.Single<int>",
                "global::Own.Value");
    }

    [Fact]
    public void FileWithoutKfuncsOrStructs_GetsNothing() => Run("class Empty { }").Made.Should().BeEmpty();

    [Fact]
    public void EditElsewhere_MakesNothingAnew()
    {
        var first = Compile(InClass("internal static void F() { }"));
        var driver = CSharpGeneratorDriver.Create(
            [new KfuncGenerator().AsSourceGenerator()],
            driverOptions: new(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));
        var again = driver.RunGenerators(first).RunGenerators(
            first.AddSyntaxTrees(CSharpSyntaxTree.ParseText("class Elsewhere { }")));
        again.GetRunResult().Results.Single().TrackedOutputSteps.Values.SelectMany(steps => steps)
            .SelectMany(s => s.Outputs)
            .Should().OnlyContain(
                o => o.Reason == IncrementalStepRunReason.Cached || o.Reason == IncrementalStepRunReason.Unchanged);
    }

    private static string InClass(string method) => $"public class Kfuncs {{ [Kfunc(\"own\")] {method} }}";

    /// <summary>The generator's diagnostics and what it made; what it made must compile.</summary>
    private static (string[] Faults, string Made) Run(string source)
    {
        CSharpGeneratorDriver.Create(new KfuncGenerator()).RunGeneratorsAndUpdateCompilation(
            Compile(source), out var output, out var said);
        output.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Should().BeEmpty();
        return ([.. said.Select(d => d.Id)], string.Concat(output.SyntaxTrees.Skip(1)));
    }

    private static CSharpCompilation Compile(string source) => CSharpCompilation.Create(
        "Own",
        [CSharpSyntaxTree.ParseText($"""
            using System; using System.Runtime.CompilerServices;
            using Kptr.Kfuncs; using Kptr.Objects; using Kptr.Specs;
            namespace Own;
            {source}
            """)],
        References,
        new(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true,
            nullableContextOptions: NullableContextOptions.Enable));
}
