using System.Globalization;
using System.Text;
using Kptr.Btf;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Cells;

/// <summary>
/// A program that does to a value what C# cannot: fills its lists, starts its timers and work. It also holds its map.
/// </summary>
internal sealed class CellProgram : IDisposable
{
    private const string MapName = "cells";
    private const string Fired = "kptr_testing_fired";
    private const BtfFieldKind Async = BtfFieldKind.Timer | BtfFieldKind.Workqueue;
    private readonly KernelModel _kernel;
    private readonly BpfObject _object;
    private BpfLink? _link;

    /// <param name="kernel">The kernel.</param>
    /// <param name="map">The map; its values have the kit's own types, or it is only held.</param>
    /// <param name="key">The key whose value is filled; empty for none.</param>
    internal CellProgram(KernelModel kernel, BpfMap map, ReadOnlySpan<byte> key)
    {
        _kernel = kernel;
        var asm = TextAssembler.Assemble(TextOf(kernel, map, key), HelperOf);
        var insns = asm.Insns.ToArray();
        foreach (var call in asm.Symbols.Where(s => s.Kind == AsmSymbolKind.Call))
        {
            var at = kernel.Spec.Types.Find(call.Name, BtfKind.Func)
                ?? throw new InvalidOperationException($"{kernel.Spec.Profile} has no {call.Name}");
            insns[call.InsnIdx] = new(
                insns[call.InsnIdx].Opcode, 0, BpfOp.PseudoKfuncCall, (short)at.BtfIdx, at.TypeId);
        }

        var spec = map.Spec.Btf is null && !map.Record.Has(Async)
            ? map.Spec with { Name = MapName }
            : map.Spec with { Name = MapName, Btf = CellTypes.Btf, ValueTypeId = Math.Max(1, map.Spec.ValueTypeId) };
        var prog = new ProgSpec("fill", ProgType.Tracing, [.. insns])
        {
            SectionName = "tp_btf/task_newtask",
            ExpectedAttachType = AttachType.TraceRawTp,
            AttachTarget = "task_newtask",
            License = "GPL",
            Btf = CellTypes.Btf,
            FuncInfos =
            [
                new(0, CellTypes.Btf.FindId("fill", BtfKind.Func)),
                .. asm.Labels.Where(l => l.Key is "ring" or "less").OrderBy(l => l.Value)
                    .Select(l => new FuncInfo(l.Value, CellTypes.Btf.FindId(l.Key, BtfKind.Func))),
            ],
            Relocs = [.. asm.Symbols.Where(s => s.Kind == AsmSymbolKind.Address)
                .Select(s => new ProgReloc(s.InsnIdx, ProgRelocKind.Map, s.Name))],
        };
        _object = BpfObject.From(new("kptr_testing") { Maps = [spec], Progs = [prog] }).Load(
            kernel, new LoadOptions { Reuse = new Dictionary<string, BpfMap> { [MapName] = map } });
    }

    /// <summary>Kfuncs of the kit's own that such programs call.</summary>
    internal static KfuncRegistry AddTo(KfuncRegistry kfuncs) => kfuncs.With(new KfuncDeclaration(
        new KfuncAttribute(Fired, KfuncFlags.None)
        {
            Prototype = $"void {Fired}(void)", Hooks = KfuncHooks.Tracing, Profiles = ProfileSet.All,
        },
        static (ctx, _, _, _, _, _) =>
        {
            Interlocked.Increment(ref Bell.Of(ctx.Core).Rings);
            return 0;
        }));

    /// <summary>Whether values with these fields need such a program to be filled.</summary>
    internal static bool Fills(BtfRecord record) =>
        record.Has(Async | BtfFieldKind.GraphRoot | BtfFieldKind.KptrPercpu);

    /// <summary>Timers and work that ran in a kernel.</summary>
    internal static int RingsIn(KernelCore kernel) => Volatile.Read(ref Bell.Of(kernel).Rings);

    /// <summary>Runs it.</summary>
    /// <param name="cpu">The CPU it runs on.</param>
    internal void Run(int cpu)
    {
        var before = _kernel.CurrentCpu;
        _kernel.CurrentCpu = cpu;
        try
        {
            var result = _object.Programs["fill"].RunWithArgs(_kernel.Tasks.Init.Address, 0);
            if (result.Fault is not null || result.ReturnValue != 0)
            {
                throw new InvalidOperationException($"the kit's program failed: {result}");
            }
        }
        finally
        {
            _kernel.CurrentCpu = before;
        }
    }

    /// <summary>From now on it holds its map as an attached program does, and no user space beside.</summary>
    internal void HoldAttached()
    {
        _link = _object.Programs["fill"].Attach();
        _object.Dispose();
    }

    public void Dispose()
    {
        _link?.Dispose();
        _object.Dispose();
    }

    private static int? HelperOf(string name) => name switch
    {
        "bpf_map_lookup_elem" => (int)HelperId.MapLookupElem,
        "bpf_kptr_xchg" => (int)HelperId.KptrXchg,
        "bpf_spin_lock" => (int)HelperId.SpinLock,
        "bpf_spin_unlock" => (int)HelperId.SpinUnlock,
        "bpf_timer_init" => (int)HelperId.TimerInit,
        "bpf_timer_set_callback" => (int)HelperId.TimerSetCallback,
        "bpf_timer_start" => (int)HelperId.TimerStart,
        _ => null,
    };

    private static string TextOf(KernelModel kernel, BpfMap map, ReadOnlySpan<byte> key)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
        Line($"r1 = {MapName} ll");
        if (!key.IsEmpty)
        {
            var room = (key.Length + 7) / 8 * 8;
            for (var i = 0; i < key.Length; i++)
            {
                Line($"r3 = {key[i]}");
                Line($"*(u8 *)(r10 - {room - i}) = r3");
            }

            Line($"r2 = r10");
            Line($"r2 += {-room}");
            Line($"call bpf_map_lookup_elem");
            Line($"if r0 == 0 goto none");
            Line($"r6 = r0");
            foreach (var field in map.Record.Fields)
            {
                AddFill(Line, kernel, map, field);
            }
        }

        Line($"r0 = 0");
        Line($"exit");
        if (!key.IsEmpty)
        {
            Line($"none:");
            Line($"r0 = 1");
            Line($"exit");
        }

        if (key.IsEmpty)
        {
            return text.ToString();
        }

        if (map.Record.Has(Async))
        {
            Line($"ring:");
            Line($"call {Fired}");
            Line($"r0 = 0");
            Line($"exit");
        }

        if (map.Record.Has(BtfFieldKind.RbRoot))
        {
            Line($"less:");
            Line($"r0 = 0");
            Line($"exit");
        }

        return text.ToString();
    }

    private static void AddFill(Action<FormattableString> line, KernelModel kernel, BpfMap map, BtfField field)
    {
        switch (field.Kind)
        {
            case BtfFieldKind.Timer:
                Call(line, "bpf_timer_init", field.OffsetBytes, $"r2 = {MapName} ll", "r3 = 1");
                Call(line, "bpf_timer_set_callback", field.OffsetBytes, "r2 = ring ll");
                Call(line, "bpf_timer_start", field.OffsetBytes, "r2 = 1000", "r3 = 0");
                break;
            case BtfFieldKind.Workqueue:
                Call(line, "bpf_wq_init", field.OffsetBytes, $"r2 = {MapName} ll", "r3 = 0");
                Call(
                    line, NameOf(kernel, "bpf_wq_set_callback"), field.OffsetBytes, "r2 = ring ll", "r3 = 0", "r4 = 0");
                Call(line, "bpf_wq_start", field.OffsetBytes, "r2 = 0");
                break;
            case BtfFieldKind.KptrPercpu:
                line($"r1 = {CellTypes.IdOf("kit_counter")}");
                line($"r2 = 0");
                line($"call {NameOf(kernel, "bpf_percpu_obj_new")}");
                line($"if r0 == 0 goto none");
                line($"r1 = r6");
                line($"r1 += {field.OffsetBytes}");
                line($"r2 = r0");
                line($"call bpf_kptr_xchg");
                line($"if r0 != 0 goto leak{field.OffsetBytes}");
                line($"goto filled{field.OffsetBytes}");
                line($"leak{field.OffsetBytes}:");
                line($"r1 = r0");
                line($"r2 = 0");
                line($"call {NameOf(kernel, "bpf_percpu_obj_drop")}");
                line($"filled{field.OffsetBytes}:");
                break;
            case BtfFieldKind.ListHead or BtfFieldKind.RbRoot:
                for (var i = 0; i < Cell.NodesPerRoot; i++)
                {
                    AddNode(line, kernel, map, field);
                }

                break;
        }
    }

    private static void AddNode(Action<FormattableString> line, KernelModel kernel, BpfMap map, BtfField field)
    {
        var lockAt = map.Record.Fields.First(f => f.Kind == BtfFieldKind.SpinLock).OffsetBytes;
        line($"r1 = {CellTypes.IdOf("kit_node")}");
        line($"r2 = 0");
        line($"call {NameOf(kernel, "bpf_obj_new")}");
        line($"if r0 == 0 goto none");
        line($"r7 = r0");
        line($"r1 = r6");
        line($"r1 += {lockAt}");
        line($"call bpf_spin_lock");
        line($"r1 = r6");
        line($"r1 += {field.OffsetBytes}");
        line($"r2 = r7");
        line($"r2 += {(field.Kind == BtfFieldKind.RbRoot ? 24 : 0)}");
        if (field.Kind == BtfFieldKind.RbRoot)
        {
            line($"r3 = less ll");
            line($"r4 = 0");
            line($"r5 = 0");
            line($"call {NameOf(kernel, "bpf_rbtree_add")}");
        }
        else
        {
            line($"r3 = 0");
            line($"r4 = 0");
            line($"call {NameOf(kernel, "bpf_list_push_back")}");
        }

        line($"r1 = r6");
        line($"r1 += {lockAt}");
        line($"call bpf_spin_unlock");
    }

    private static void Call(Action<FormattableString> line, string name, int offset, params ReadOnlySpan<string> args)
    {
        line($"r1 = r6");
        line($"r1 += {offset}");
        foreach (var arg in args)
        {
            line($"{arg}");
        }

        line($"call {name}");
        line($"if r0 != 0 goto none");
    }

    // Kernels before 7.2 have these functions under a name of their own, with arguments that the verifier fills in.
    private static string NameOf(KernelModel kernel, string name) =>
        kernel.Spec.Types.Find($"{name}_impl", BtfKind.Func) is null ? name : $"{name}_impl";

    /// <summary>What rings when a timer or work item of a cell runs.</summary>
    private sealed class Bell
    {
        internal int Rings;

        internal static Bell Of(KernelCore kernel) => kernel.Single(static _ => new Bell());
    }
}
