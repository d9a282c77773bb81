using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf.Linking;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Elf;

/// <summary>
/// Kernel symbols, attach targets and struct_ops: what tests/data/elf names, found in a kernel or not.
/// </summary>
public class LinkTests
{
    private const string Kernel = """
        struct task_struct { int pid; };
        struct file;
        struct bpf_iter_meta;
        struct task_struct *bpf_task_acquire(struct task_struct *p);
        void bpf_task_release(struct task_struct *p);
        void do_exit(long code);
        int bpf_lsm_file_open(struct file *file);
        typedef void (*btf_trace_task_newtask)(void *, struct task_struct *, unsigned long);
        """;

    private const string WithVariables = Kernel + "int runqueues; int init_task; void bpf_strong_missing(void);";

    private const string OpsKernel = """
        struct my_ops { unsigned int flags; char name[16]; void (*second)(void); int (*first)(int); };
        struct bpf_struct_ops_my_ops { int common; struct my_ops data; };
        """;

    [Fact]
    public void Symbols_OfAKernelThatLacksThem_AreFaultsOnlyWhereTheyAreStrong()
    {
        var linked = ElfObjects.Link("ksyms", Kernel);

        Calls(linked.Prog("weak"), BpfOp.PseudoKfuncCall).Should().BeEmpty(
            "none of the weak functions is there with that type");
        linked.Prog("found").LinkFault!.Code.Should().Be(
            DiagCode.KsymNotFound, "the strong variable 'runqueues' is missing");
    }

    [Fact]
    public void Symbols_OfAKernelThatHasThem_AreNumbers()
    {
        var found = ElfObjects.Link("ksyms", WithVariables).Prog("found");
        var vmlinux = ElfObjects.Kernel(WithVariables).Types.Vmlinux;

        found.LinkFault.Should().BeNull();
        Calls(found, BpfOp.PseudoKfuncCall).Select(i => i.Imm).Should().Equal(
            vmlinux.FindId("bpf_task_acquire", BtfKind.Func), vmlinux.FindId("bpf_task_release", BtfKind.Func));
        found.Insns.Should().ContainSingle(i => i.Opcode == BpfOp.LdImm64 && i.Src == BpfOp.PseudoBtfId
            && i.Imm == vmlinux.FindId("runqueues", BtfKind.Var));
        found.AttachBtf.Should().Be(new BtfRef(0, vmlinux.FindId("btf_trace_task_newtask", BtfKind.Typedef)));
    }

    [Fact]
    public void WeakSymbols_TheKernelLacks_AreZeroAndPoison()
    {
        var before = ElfObjects.Read("ksyms").Prog("weak");
        var linked = ElfObjects.Link("ksyms", WithVariables).Prog("weak");

        linked.LinkFault.Should().BeNull();
        linked.IsSleepable.Should().BeTrue();
        foreach (var reloc in before.Relocs.Where(r => r.IsWeak))
        {
            var insn = linked.Insns[reloc.InsnIdx];
            if (reloc.Kind == ProgRelocKind.KfuncCall)
            {
                insn.Should().BeEquivalentTo(new { Opcode = (byte)((byte)InsnClass.Jmp + BpfOp.Call), Src = 0 });
                insn.Imm.Should().BeInRange(2002000000, 2002000010);
            }
            else
            {
                (insn.Imm, insn.Src, linked.Insns[reloc.InsnIdx + 1].Imm).Should().Be((0, 0, 0));
            }
        }
    }

    [Fact]
    public void StrongFunctionTheKernelLacks_IsTheFaultOfAllPrograms()
    {
        var sink = new DiagSink();
        var linked = ElfObjects.Link("ksyms", Kernel, sink);

        linked.Prog("missing").LinkFault!.Code.Should().Be(DiagCode.KsymNotFound);
        linked.Prog("missing").LinkFault!.Source.Should().Contain("ksyms.bpf.c:");
        linked.Prog("no_target").LinkFault!.Code.Should().Be(DiagCode.AttachTargetNotFound);
        linked.Prog("weak").AttachBtf.Should().NotBeNull();
        linked.Prog("weak").LinkFault!.Message.Should().Be(
            "prog 'weak': extern (func ksym) 'bpf_strong_missing': not found in kernel or module BTFs",
            "libbpf looks for the symbols of an object, whichever of its programs it is to load");
        sink.All.Should().HaveCount(linked.Progs.Length);
    }

    [Fact]
    public void WeakSymbolWithoutType_IsThereOrNot()
    {
        ProgSpec linked = ElfObjects.Link("ksyms", WithVariables).Prog("weak");
        var before = ElfObjects.Read("ksyms").Prog("weak").Relocs
            .Where(r => r.Name == "no_such_symbol").Select(r => r.InsnIdx).ToArray();

        linked.MaybeAddresses.Should().Equal(before).And.NotBeEmpty();
        ElfObjects.Link("ksyms", WithVariables + "int no_such_symbol;").Prog("weak").MaybeAddresses.Should().BeEmpty();
    }

    [Theory, InlineData("6.12"), InlineData("7.2")]
    public void CodeBehindAMaybeAddress_IsVerified(string version)
    {
        KernelSpec kernel = new KernelModelOptions
        {
            Profile = version == "7.2" ? KernelProfile.Linux7_2 : KernelProfile.Linux6_12,
        }.ToSpec();
        AsmProgram code = TextAssembler.Assemble("""
                r1 = 0 ll
                if r1 == 0 goto none
                r0 = *(u32 *)(r1 + 0)
            none:
                r0 = 0
                exit
            """);
        var prog = new ProgSpec("p", ProgType.Syscall, [.. code.Insns]) { License = "GPL", IsSleepable = true };

        BpfVerifier.Verify(prog, kernel).Verdict.Should().Be(Verdict.Accept, "the number is 0");
        var maybe = prog with { MaybeAddresses = [0] };
        BpfVerifier.Verify(maybe, kernel).Diagnostics.Should().Contain(d => d.Code == DiagCode.MemAccessInvalid);
    }

    [Theory]
    [InlineData("CONFIG_X", true)]
    [InlineData("LINUX_X", true)]
    [InlineData("config_X", false)]
    [InlineData("X", false)]
    public void WeakValueOfNoConfiguration_IsZeroWhereLibbpfKnowsTheName(string name, bool isZero)
    {
        Diagnostic? fault = null;
        KconfigWriter.Fill(
            new(".kconfig", BpfMapType.Array) { ValueSize = 4 },
            [
                new(name, ExternKind.Kconfig, IsWeak: true, 1)
                {
                    Kconfig = new(KconfigType.Int, 0, 4, IsSigned: true),
                },
            ],
            ElfObjects.Kernel(Kernel), ref fault);

        fault?.Message.Should().Be($"extern (kcfg) '{name}': unrecognized virtual extern");
        (fault is null).Should().Be(isZero);
    }

    [Fact]
    public void StructOps_FindTheirMemberInTheKernelsOrder()
    {
        var linked = ElfObjects.Link("ops", OpsKernel);

        linked.Prog("first_impl").StructOpsMember.Should().Be(3);
        linked.Prog("second_impl").StructOpsMember.Should().Be(2);
        linked.Prog("second_impl").IsSleepable.Should().BeTrue();
        linked.Prog("first_impl").AttachTarget.Should().Be("my_ops.first");
        linked.Map("linked").StructOps!.KernelType.Should().NotBeNull();
        linked.Map("linked").Flags.Should().Be(MapFlags.Link);
        linked.Map("optional").Autocreate.Should().BeFalse();
        linked.Prog("unused_impl").LinkFault!.Code.Should().Be(DiagCode.StructOpsMismatch);
    }

    [Fact]
    public void StructOps_WithAMemberOfAnotherSize_DoNotMatch()
    {
        var linked = ElfObjects.Link("ops", OpsKernel.Replace("name[16]", "name[8]", StringComparison.Ordinal));

        linked.Prog("first_impl").LinkFault!.Code.Should().Be(DiagCode.StructOpsMismatch);
        linked.Map("linked").StructOps!.KernelType.Should().BeNull();
    }

    [Fact]
    public void MapReferences_BecomeIndexes_AndValuesGetTheirRecords()
    {
        var linked = ElfObjects.Link("maps", Kernel);
        var prog = linked.Prog("uses_everything");
        var loads = prog.Insns.Where(i => i.Opcode == BpfOp.LdImm64).ToArray();

        prog.LinkFault.Should().BeNull();
        loads.Should().Contain(i => i.Src == BpfOp.PseudoMapFd && prog.Maps[i.Imm].Name == "tasks");
        loads.Should().Contain(i => i.Src == BpfOp.PseudoMapValue && prog.Maps[i.Imm].Name == ".kconfig");
        linked.Map("tasks").Record.Fields.Should().ContainSingle(
            f => f.Kind == BtfFieldKind.KptrRef && f.OffsetBytes == 8);
    }

    private static BpfInsn[] Calls(ProgSpec prog, int source) =>
        [.. prog.Insns.Where(i => i.Opcode == (byte)InsnClass.Jmp + BpfOp.Call && i.Src == source)];
}
