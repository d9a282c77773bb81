using Kptr.Analyzers.CodeFixes;
using Kptr.Analyzers.Flow;
using Kptr.Analyzers.Kfuncs;
using Kptr.Analyzers.Slots;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Testing;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Testing;

namespace Kptr.Analyzers.Tests;

/// <summary>What the fixes make of what was found; where none is safe, none is offered.</summary>
public class FixTests
{
    [Theory]
    [InlineData("static void F(ref Entry e) { {|KPTR003:e.Task.Exchange(null)|}; }",
        "static void F(ref Entry e) { e.Task.Exchange(null)?.Release(); }")]
    [InlineData("static void F(ref Entry e) { _ = {|KPTR003:e.Task.Exchange(null)|}; }",
        "static void F(ref Entry e) { e.Task.Exchange(null)?.Release(); }")]
    [InlineData("static void F(ref Entry e) => {|KPTR003:e.Task.Exchange(null)|};",
        "static void F(ref Entry e) => e.Task.Exchange(null)?.Release();")]
    public Task Exchange_Dropped_IsReleased(string before, string after) =>
        Fixes<OwnershipAnalyzer, ReleaseFix>(before, after);

    [Fact]
    public Task Exchange_OnlyAsked_IsNotFixed() => IsNotFixed<OwnershipAnalyzer, ReleaseFix>(
        "static bool F(ref Entry e) => {|KPTR003:e.Task.Exchange(null)|} is null;");

    [Theory]
    [InlineData(
        """
        static int F(TaskStruct task)
        {
            // kept
            var mine = {|KPTR001:KernelRef.Own(task)|};
            return mine.Target.Pid;
        }
        """,
        """
        static int F(TaskStruct task)
        {
            // kept
            using var mine = KernelRef.Own(task);
            return mine.Target.Pid;
        }
        """)]
    [InlineData(
        """
        static int? F(TaskStruct task)
        {
            var mine = {|KPTR001:task.TryAcquire()|};
            return mine?.Target.Pid;
        }
        """,
        """
        static int? F(TaskStruct task)
        {
            using var mine = task.TryAcquire();
            return mine?.Target.Pid;
        }
        """)]
    [InlineData(
        """
        static long F()
        {
            KernelModel kernel = {|KPTR010:new KernelModel()|};
            return kernel.NowNs;
        }
        """,
        """
        static long F()
        {
            using KernelModel kernel = new KernelModel();
            return kernel.NowNs;
        }
        """)]
    public Task Variable_OnlyLookedAt_IsUsed(string before, string after) =>
        Fixes<OwnershipAnalyzer, UsingFix>(before, after);

    // Released on one path: using would release it twice there.
    [Fact]
    public Task Variable_ReleasedElsewhere_IsNotFixed() => IsNotFixed<OwnershipAnalyzer, UsingFix>("""
        static void F(TaskStruct task, bool isShort)
        {
            var mine = {|KPTR001:KernelRef.Own(task)|};
            if (isShort)
            {
                return;
            }

            mine.Release();
        }
        """);

    [Theory]
    [InlineData(
        "static bool F(ref Entry e) { var slot = {|KPTR004:e.Task|}; return slot.IsNull; }",
        "static bool F(ref Entry e) { ref var slot = ref e.Task; return slot.IsNull; }")]
    [InlineData(
        "static ulong F(ArrayMap<Entry> map) { Entry e = {|KPTR004:map[0]|}; return e.Seen; }",
        "static ulong F(ArrayMap<Entry> map) { ref Entry e = ref map[0]; return e.Seen; }")]
    public Task Slot_CopiedIntoALocal_IsReferredTo(string before, string after) =>
        Fixes<SlotCopyAnalyzer, RefFix>(before, after);

    [Fact]
    public Task Slot_CopiedForALambda_IsNotFixed() => IsNotFixed<SlotCopyAnalyzer, RefFix>(
        "static Func<bool> F(ref Entry e) { var slot = {|KPTR004:e.Task|}; return () => slot.IsNull; }");

    [Theory]
    [InlineData(
        "[Kfunc(\"bpf_own\")] internal static void {|KPTR007:F|}(KernelRef<TaskStruct> task) => task.Release();",
        "[Kfunc(\"bpf_own\", KfuncFlags.Release)] internal static void F(KernelRef<TaskStruct> task) =>"
            + " task.Release();")]
    [InlineData(
        "[Kfunc(\"bpf_own\", Prototype = \"\")] internal static void {|KPTR007:F|}(KernelRef<TaskStruct> t) =>"
            + " t.Release();",
        "[Kfunc(\"bpf_own\", KfuncFlags.Release, Prototype = \"\")] internal static void F(KernelRef<TaskStruct> t) =>"
            + " t.Release();")]
    [InlineData(
        "[Kfunc(\"bpf_own\", KfuncFlags.RetNull)] internal static KernelRef<TaskStruct>? {|KPTR007:F|}(TaskStruct t) =>"
            + " t.TryAcquire();",
        "[Kfunc(\"bpf_own\", KfuncFlags.RetNull | KfuncFlags.Acquire)] internal static KernelRef<TaskStruct>?"
            + " F(TaskStruct t) => t.TryAcquire();")]
    public Task Kfunc_WithoutTheFlag_GetsIt(string before, string after) =>
        Fixes<KfuncAnalyzer, FlagFix>(before, after);

    private static Task IsNotFixed<TAnalyzer, TFix>(string members)
        where TAnalyzer : DiagnosticAnalyzer, new()
        where TFix : CodeFixProvider, new() => Fixes<TAnalyzer, TFix>(members, members);

    private static Task Fixes<TAnalyzer, TFix>(string before, string after)
        where TAnalyzer : DiagnosticAnalyzer, new()
        where TFix : CodeFixProvider, new()
    {
        var test = new CSharpCodeFixTest<TAnalyzer, TFix, DefaultVerifier>
        {
            TestCode = Snippet.Whole(before),
            FixedCode = Snippet.Whole(after),
            ReferenceAssemblies = new("none"),
            CompilerDiagnostics = CompilerDiagnostics.Errors,
        };
        test.TestState.Sources.Add(("Prelude.cs", Fault.Prelude));
        test.FixedState.Sources.Add(("Prelude.cs", Fault.Prelude));
        test.TestState.AdditionalReferences.AddRange(Compiled.References);
        test.SolutionTransforms.Add((solution, id) => solution.WithProjectParseOptions(id, Compiled.Options));
        return test.RunAsync();
    }
}
