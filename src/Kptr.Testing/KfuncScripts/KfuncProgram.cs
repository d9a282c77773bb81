using System.Globalization;
using System.Text;
using Kptr.Btf;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Testing.KfuncScripts;

/// <summary>
/// A program that calls one kfunc: it gets arguments from the tray and puts back whatever it has then.
/// </summary>
internal sealed class KfuncProgram : IDisposable
{
    // Below the arguments' slots: the memory that a kfunc is given, and two words behind it that it is not.
    private const int BufferAt = 64;
    private static readonly int[] CanariesAt = [56, 48];
    private readonly KernelModel _kernel;
    private readonly BpfObject? _object;

    internal KfuncProgram(KernelModel kernel, KfuncShape shape)
    {
        _kernel = kernel;
        Shape = shape;
        try
        {
            _object = BpfObject.From(new("kptr_testing") { Progs = [SpecOf(kernel, shape)] }).Load(kernel);
        }
        catch (ProgramRejectedException e)
        {
            Refusal = e.Message;
        }
    }

    internal KfuncShape Shape { get; }

    /// <summary>What the verifier says against it; null where it was loaded.</summary>
    internal string? Refusal { get; }

    /// <summary>Runs it on the thread's tray.</summary>
    internal ProgramResult Run()
    {
        var prog = _object!.Programs["call"];
        return Shape.IsRunBySyscall ? prog.TestRun() : prog.RunWithArgs(_kernel.Tasks.Init.Address, 0);
    }

    public void Dispose() => _object?.Dispose();

    private static ProgSpec SpecOf(KernelModel kernel, KfuncShape shape)
    {
        var asm = TextAssembler.Assemble(TextOf(shape));
        var insns = asm.Insns.ToArray();
        foreach (var call in asm.Symbols)
        {
            var at = kernel.Spec.Types.Find(call.Name, BtfKind.Func)!.Value;
            insns[call.InsnIdx] = new(
                insns[call.InsnIdx].Opcode, 0, BpfOp.PseudoKfuncCall, (short)at.BtfIdx, at.TypeId);
        }

        return shape.IsRunBySyscall
            ? new("call", ProgType.Syscall, [.. insns])
            {
                SectionName = "syscall", IsSleepable = true, License = "GPL",
            }
            : new("call", ProgType.Tracing, [.. insns])
            {
                SectionName = "tp_btf/task_newtask", ExpectedAttachType = AttachType.TraceRawTp,
                AttachTarget = "task_newtask", License = "GPL",
            };
    }

    private static string TextOf(KfuncShape shape)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
        for (var i = 0; i < shape.Args.Count; i++)
        {
            if (shape.Args[i] is { Shape: ArgShape.Object or ArgShape.Number } arg)
            {
                Line($"r1 = {i}");
                Line($"call {(arg.Shape == ArgShape.Object ? TrayKfuncs.Give(arg.Type) : TrayKfuncs.Number)}");
                Line($"*(u64 *)(r10 - {8 * (i + 1)}) = r0");
            }
        }

        Line($"r1 = 0");
        Line($"*(u64 *)(r10 - {BufferAt}) = r1");
        Line($"r1 = {TrayKfuncs.CanaryWord}");
        foreach (var at in CanariesAt)
        {
            Line($"*(u64 *)(r10 - {at}) = r1");
        }

        for (var i = 0; i < shape.Args.Count; i++)
        {
            switch (shape.Args[i].Shape)
            {
                case ArgShape.Ignored:
                    Line($"r{i + 1} = 0");
                    break;
                case ArgShape.Constant:
                    Line($"r{i + 1} = {KfuncShape.BufferBytes}");
                    break;
                case ArgShape.Buffer:
                    Line($"r{i + 1} = r10");
                    Line($"r{i + 1} += {-BufferAt}");
                    break;
                default:
                    Line($"r{i + 1} = *(u64 *)(r10 - {8 * (i + 1)})");
                    break;
            }
        }

        Line($"call {shape.Name}");
        if (shape is { IsAcquire: true, Returns: { } returned })
        {
            if (shape.MayBeNull)
            {
                Line($"if r0 == 0 goto none");
            }

            Line($"r1 = r0");
            Line($"r2 = 0");
            Line($"call {TrayKfuncs.Take(returned)}");
        }

        Line($"none:");
        for (var i = 0; i < shape.Args.Count; i++)
        {
            if (shape.Args[i] is { Shape: ArgShape.Object } arg && !shape.IsRelease)
            {
                Line($"r1 = *(u64 *)(r10 - {8 * (i + 1)})");
                Line($"r2 = {i + 1}");
                Line($"call {TrayKfuncs.Take(arg.Type)}");
            }
        }

        foreach (var at in shape.Args.Any(a => a.Shape == ArgShape.Buffer) ? CanariesAt : [])
        {
            Line($"r1 = *(u64 *)(r10 - {at})");
            Line($"call {TrayKfuncs.Canary}");
        }

        Line($"r0 = 0");
        Line($"exit");
        return text.ToString();
    }
}
