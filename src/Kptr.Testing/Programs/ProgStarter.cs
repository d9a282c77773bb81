using Kptr.Btf;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Programs;

/// <summary>Runs single programs with random contexts and arguments, as their types have them.</summary>
internal sealed class ProgStarter(
    KernelModel kernel, IReadOnlyList<TaskStruct> tasks, IReadOnlyList<Cgroup> cgroups, long fuel)
{
    private const int ContextBytes = 256;
    private const int ContextBytesShown = 16;
    private const int RecordBytes = 2048;
    private const int ProbeArgs = 5;

    private ExecOptions Options => new() { Fuel = fuel };

    /// <summary>Runs it on behalf of the current task.</summary>
    internal Answer Run(BpfProgram program, ProgStep step, Inputs inputs)
    {
        var spec = program.Spec;
        return spec switch
        {
            { Type: ProgType.Syscall or ProgType.CgroupDevice or ProgType.CgroupSysctl or ProgType.LircMode2 } =>
                WithContext(program, inputs),
            { ExpectedAttachType: AttachType.TraceIter } => Iterate(program),
            { Type: ProgType.Tracing or ProgType.Lsm or ProgType.StructOps or ProgType.RawTracepoint } =>
                WithArgs(program, step, inputs),
            { Type: ProgType.Kprobe, AttachTarget: { Length: > 0 } function } =>
                Call(function, inputs.Words(ProbeArgs), $"call {function} with {ProbeArgs} numbers", inputs),
            { Type: ProgType.Tracepoint, AttachTarget: { Length: > 0 } name } =>
                Raise(name, inputs, SizeFor(program, RecordBytes)),
            { Type: ProgType.Kprobe or ProgType.Tracepoint or ProgType.PerfEvent or ProgType.Ext
                or ProgType.Netfilter or ProgType.RawTracepointWritable } =>
                Answer.Not($"scripts do not run programs of type {spec.Type} that are attached to nothing"),
            _ => WithPacket(program, inputs),
        };
    }

    // No access of an accepted program is beyond the largest offset in its code.
    private static int SizeFor(BpfProgram program, int sizeBytesMin) => program.Spec.Insns
        .Where(i => i.Class is InsnClass.Ldx or InsnClass.St or InsnClass.Stx)
        .Select(i => i.Off + sizeof(ulong)).Append(sizeBytesMin).Max();

    private Answer WithContext(BpfProgram program, Inputs inputs)
    {
        var context = inputs.Context(SizeFor(program, ContextBytes));
        var text = $"with context {Convert.ToHexStringLower(context.AsSpan(0, ContextBytesShown))}...";
        var result = program.TestRun(context, Options);
        return Answer.Of(text, result.ReturnValue, result.Fault);
    }

    private Answer WithPacket(BpfProgram program, Inputs inputs)
    {
        var packet = inputs.Packet();
        var output = program.TestRun(new TestInput { Packet = packet }, Options);
        return Answer.Of(
            $"with a packet of {packet.Length} bytes", output.ReturnValue, output.Fault, output.Packet.Span);
    }

    // An iterator over elements is attached to a map large enough for what the program touches: a test says which.
    private Answer Iterate(BpfProgram program)
    {
        try
        {
            var output = program.Iterate(options: Options);
            return Answer.Of("over everything", output.RunCount, output.Fault, output.Bytes.Span);
        }
        catch (Exception e) when (e is NotSupportedException or ArgumentException)
        {
            return Answer.Not(e.Message);
        }
    }

    private Answer Raise(string name, Inputs inputs, int sizeBytes)
    {
        kernel.RaiseEvent(name, inputs.Context(sizeBytes));
        return new($"raise {name} with a record of {sizeBytes} bytes", "done");
    }

    private Answer Call(string function, ulong[] args, string text, Inputs inputs) =>
        new(text, $"{kernel.Call(function, args, () => inputs.Seed % 3)}");

    private Answer WithArgs(BpfProgram program, ProgStep step, Inputs inputs)
    {
        if (PrototypeOf(program.Spec) is not { } prototype)
        {
            return Answer.Not($"nothing is known of the arguments of {program.Spec.AttachTarget}");
        }

        var isTracepoint = prototype.IsTracepoint;
        var args = new List<ulong>();
        var texts = new List<string>();
        var words = inputs.Words(prototype.Proto.VLen);
        for (var i = isTracepoint ? 1 : 0; i < prototype.Proto.VLen; i++)
        {
            var type = prototype.Proto.Btf[prototype.Proto.Param(i).TypeId].SkipModifiers();
            if (ArgOf(type, words[i], step) is not { } arg)
            {
                return Answer.Not(
                    $"argument {i} of {program.Spec.AttachTarget} is a pointer that scripts have nothing for; "
                    + "what the model does itself still runs the program");
            }

            args.Add(arg.Word);
            texts.Add(arg.Text);
        }

        var text = $"with ({string.Join(", ", texts)})";
        if (program.Spec.ExpectedAttachType is AttachType.TraceFentry or AttachType.TraceFexit
            or AttachType.ModifyReturn or AttachType.LsmMac or AttachType.LsmCgroup)
        {
            return Call(program.Spec.AttachTarget!, [.. args], text, inputs);
        }

        var result = program.RunWithArgs([.. args], Options);
        return Answer.Of(text, result.ReturnValue, result.Fault);
    }

    private (ulong Word, string Text)? ArgOf(BtfType type, ulong word, ProgStep step)
    {
        if (type.Kind != BtfKind.Ptr)
        {
            return type.IsComposite ? null : Number(type, word);
        }

        return type.Ref.SkipModifiers().Name switch
        {
            "task_struct" => Object(tasks[step.Task % tasks.Count]),
            "cgroup" => Object(cgroups[step.Value % cgroups.Count]),
            _ => null,
        };
    }

    private static (ulong Word, string Text)? Object(KernelObject obj) => (obj.Address, obj.ToString()!);

    private static (ulong Word, string Text)? Number(BtfType type, ulong word)
    {
        var bits = Math.Clamp(type.SizeBytes, 1, sizeof(ulong)) * 8;
        var cut = bits == 64 ? word : word & ((1UL << bits) - 1);
        return (cut, $"{cut}");
    }

    private (BtfType Proto, bool IsTracepoint)? PrototypeOf(ProgSpec spec)
    {
        var types = kernel.Spec.Types;
        if (spec.Type == ProgType.RawTracepoint)
        {
            return types.Find("btf_trace_" + spec.AttachTarget, BtfKind.Typedef) is { } at
                ? (types[at].Ref.SkipModifiers().Ref, true) : null;
        }

        if (spec.AttachBtf is not { } target)
        {
            return null;
        }

        var type = types[target];
        return type.Kind switch
        {
            BtfKind.Typedef => (type.Ref.SkipModifiers().Ref, true),
            BtfKind.Func => (type.Ref, false),
            BtfKind.Struct when spec.StructOpsMember >= 0 =>
                (type.Btf[type.Member(spec.StructOpsMember).TypeId].SkipModifiers().Ref.SkipModifiers(), false),
            _ => null,
        };
    }
}
