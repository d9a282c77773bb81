using System.Text.Json;

namespace Kptr.Cli.Tests;

public class InspectTests
{
    [Fact]
    public void Object_ShowsProgramsMapsFieldsAndWhatItWants()
    {
        var run = KptrTool.Run("inspect", KptrTool.TrackerObject);

        run.ExitCode.Should().Be(0, run.Errors);
        run.Output.Should().StartWith("task_tracker.bpf.o: license \"Dual MIT/GPL\"");
        run.Lines.Should().Contain(l => l.StartsWith("  on_newtask: tracing SEC(\"tp_btf/task_newtask\"), "));
        run.Lines.Should().Contain("      kfuncs: bpf_task_acquire, bpf_task_release");
        run.Lines.Should().Contain(
            "  tasks: hash, 1024 entries, key s32 (4 bytes), value struct task_entry (16 bytes)");
        run.Lines.Should().Contain("      +0    kptr           task -> struct task_struct, freed by bpf_task_release");
        run.Lines.Should().Contain("  kfunc    void bpf_task_release(struct task_struct *)");
    }

    [Fact]
    public void Listing_HasCLinesAndNames()
    {
        var run = KptrTool.Run("inspect", KptrTool.TrackerObject, "--disasm", "--program", "on_newtask");

        run.ExitCode.Should().Be(0, run.Errors);
        run.Lines[0].Should().Be("on_newtask [tp_btf/task_newtask]:");
        run.Lines.Should().Contain(
            l => l.StartsWith("; task_tracker.bpf.c:") && l.EndsWith("task = bpf_task_acquire(task);"));
        run.Lines.Should().Contain(l => l.Contains("call -0x1") && l.EndsWith("; kfunc bpf_task_acquire"));
        run.Lines.Should().Contain(l => l.EndsWith("; map tasks"));
        run.Lines.Should().Contain(l => l.EndsWith("; bpf_kptr_xchg"));
        run.Lines.Should().Contain(l => l.Contains("; CO-RE FieldByteOffset struct task_struct 0:0"));
        run.Output.Should().NotContain("on_exit");
    }

    [Fact]
    public void Json_HoldsTheSame_WithTypesAndListings()
    {
        var run = KptrTool.Run("inspect", KptrTool.TrackerObject, "--format", "json", "--btf", "--disasm");

        run.ExitCode.Should().Be(0, run.Errors);
        var root = JsonDocument.Parse(run.Output).RootElement;
        root.GetProperty("programs").EnumerateArray().Select(p => p.GetProperty("name").GetString())
            .Should().Equal("on_newtask", "on_exec", "on_exit", "summarise");
        var tasks = root.GetProperty("maps").EnumerateArray().Single(m => m.GetProperty("name").GetString() == "tasks");
        tasks.GetProperty("fields")[0].GetProperty("destructor").GetString().Should().Be("bpf_task_release");
        root.GetProperty("btf").GetString().Should().Contain("struct task_entry {");
        root.GetProperty("disasm").GetProperty("on_exit").GetArrayLength().Should().BePositive();
    }

    [Fact]
    public void FileThatIsNoObject_IsUnusable_AndSaysWhereItIsWrong()
    {
        var run = KptrTool.Run("inspect", Path.Combine(KptrTool.Root, "LICENSE"));

        run.ExitCode.Should().Be(2);
        run.Errors.Should().StartWith("kptr: ").And.Contain("LICENSE: offset 0x0: not an ELF file (ElfNotBpfObject)");
    }

    [Fact]
    public void ProgramThatIsNotThere_IsUnusable()
    {
        var run = KptrTool.Run("inspect", KptrTool.TrackerObject, "--disasm", "--program", "nobody");

        run.ExitCode.Should().Be(2);
        run.Errors.Should().Contain("no program is named 'nobody'");
    }

    [Fact]
    public void ManyObjects_AreShown_AndOneThatCannotBeReadIsReported()
    {
        using var folder = new TempFolder();
        var broken = folder.Write("broken.o", [1, 2, 3]);

        var run = KptrTool.Run("inspect", KptrTool.TrackerObject, broken, KptrTool.LeakObject);
        run.ExitCode.Should().Be(2);
        run.Errors.Should().StartWith("kptr: ").And.Contain("broken.o");
        run.Lines.Where(l => l.Contains(": license ")).Select(l => l.Split(':')[0]).Should().Equal(
            "task_tracker.bpf.o", "task_leak.bpf.o");

        var json = KptrTool.Run("inspect", KptrTool.TrackerObject, KptrTool.LeakObject, "--format", "json");
        json.ExitCode.Should().Be(0, json.Errors);
        json.Lines.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("object").GetString()).Should().Equal(
            KptrTool.TrackerObject, KptrTool.LeakObject);
    }
}
