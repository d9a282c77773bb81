using System.Buffers.Binary;
using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Execution;
using Kptr.KernelSelftests.Testmod;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Runs every program whose authors say what it returns, as the selftests' own loader does: an object of its own, a
/// packet of 64 zero bytes, or no input for <c>syscall</c> programs.
/// </summary>
/// <remarks>Ends with <c>retval: N as annotated, N differ, N not run</c>; lists the others.</remarks>
public sealed class RetvalReport
{
    private const int PacketBytes = 64;
    private const string StOpsType = "bpf_testmod_st_ops";
    private const long Fuel = 100_000_000;

    // No kernel runs a program in the first nanosecond after its start.
    private static readonly TimeSpan UpTime = TimeSpan.FromSeconds(1);
    private readonly Options _options;
    private readonly KernelSpec _kernel;
    private readonly ExecEngine _engine;
    private readonly List<(string Program, bool IsAsAnnotated)> _judged = [];
    private int _differ;
    private int _notRun;

    private RetvalReport(Options options)
    {
        _options = options;
        _kernel = Kernel.Read(options);
        _engine = Enum.Parse<ExecEngine>(options["engine"] ?? nameof(ExecEngine.Auto), ignoreCase: true);
    }

    public static int Run(Options options) => new RetvalReport(options).Run();

    private int Run()
    {
        var only = _options.All("object").ToHashSet();
        foreach (var path in _options.Objects().Where(p => only.Count == 0 || only.Contains(Options.NameOf(p))))
        {
            RunObject(path);
        }

        var isNoWorse = _options["ratchet"] is not { } ratchet || Ratchet.Holds(ratchet, _judged);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"retval: {_judged.Count(j => j.IsAsAnnotated)} as annotated, {_differ} differ, {_notRun} not run"));
        return isNoWorse ? 0 : 1;
    }

    private void RunObject(string path)
    {
        if (ObjectReader.TryRead(path, new DiagSink()) is not { } read)
        {
            return;
        }

        var annotated = SelftestObject.TagsOf(read, "test_retval=");
        var auxiliary = SelftestObject.TagsOf(read, "test_auxiliary");
        var ready = SelftestObject.Ready(read);
        foreach (var prog in read.Progs.Where(p => annotated.ContainsKey(p.Name)))
        {
            if (_options["program"] is null || _options["program"] == prog.Name)
            {
                Note($"{Options.NameOf(path)} {prog.Name}", Parse(annotated[prog.Name]), 
                    () => RunProgram(ready, n => n == prog.Name || auxiliary.ContainsKey(n), prog.Name));
            }
        }
    }

    /// <summary>What a program must return; null for anything.</summary>
    private static int? Parse(string text) => text switch
    {
        "POINTER_VALUE" => null,
        "INT_MIN" => int.MinValue,
        "TEST_DATA_LEN" => PacketBytes,
        ['0', 'x' or 'X', .. var hex] => Convert.ToInt32(hex, fromBase: 16),
        _ => unchecked((int)long.Parse(text, CultureInfo.InvariantCulture)),
    };

    private void Note(string name, int? expected, Func<long> run)
    {
        string? why = null;
        var got = 0L;
        try
        {
            got = run();
        }
#pragma warning disable CA1031 // whatever it is, it is said of this program, and the next one runs all the same
        catch (Exception e)
#pragma warning restore CA1031
        {
            why = $"{e.GetType().Name}: {e.Message.Split('\n')[0]}";
        }

        var isAsAnnotated = why is null && (expected is null || (int)got == expected);
        _judged.Add((name, isAsAnnotated));
        if (why is not null)
        {
            _notRun++;
            Console.WriteLine($"not run\t{name}\t{why}");
        }
        else if (!isAsAnnotated)
        {
            _differ++;
            Console.WriteLine($"differs\t{name}\treturned {(int)got}, annotated {(int)expected!}");
        }
    }

    private long RunProgram(ObjectSpec spec, Func<string, bool> loads, string name)
    {
        using var kernel = new KernelModel(new()
        {
            Kernel = _kernel, Profile = _kernel.Profile, Kfuncs = TestModule.Kfuncs, Driver = DeferredDriver.Manual,
            Engine = _engine,
        });
        var ops = spec.Maps.FirstOrDefault(m => m.StructOps?.TypeName == StOpsType)?.StructOps;
        using var loaded = BpfObject.From(spec).Load(
            kernel, p => loads(p.Name) || ops?.Slots.Any(s => s.Prog == p.Name) == true);
        using var registered = loaded.StructOps.Values.FirstOrDefault(o => o.TypeName == StOpsType) is { } instance
            ? Register(kernel, instance) : null;
        FillTestValues(loaded);
        kernel.VirtualClock.Advance(UpTime);
        var program = loaded.Programs[name];
        var options = new ExecOptions { Fuel = Fuel };
        var (returned, fault) = program.Spec.Type switch
        {
            ProgType.Syscall => Said(program.TestRun(Span<byte>.Empty, options)),
            _ => Said(program.TestRun(new TestInput { Packet = new byte[PacketBytes] }, options)),
        };
        return fault is null ? returned : throw new InvalidOperationException(fault.ToString());
    }

    /// <summary>As the loader attaches an object's operations; the module calls them from then on.</summary>
    private static IDisposable Register(KernelModel kernel, StructOpsInstance ops)
    {
        TestModule.In(kernel).StOps = ops;
        return ops.Register();
    }

    /// <summary>
    /// What the tests of two objects put into their maps of 48-byte values first: an index of 28, and
    /// a number where that leads.
    /// </summary>
    private static void FillTestValues(BpfObject loaded)
    {
        const int index = 28, number = unchecked((int)0xabcdef12);
        var maps = loaded.Spec.Name switch
        {
            "verifier_array_access" => (string[])["map_array_ro", "map_array_wo"],
            "verifier_value_ptr_arith" => ["map_array_48b"],
            _ => [],
        };
        foreach (var map in maps)
        {
            var value = new byte[48];
            BinaryPrimitives.WriteInt32LittleEndian(value, index);
            BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(index), number);
            loaded.Maps[map].UpdateElem(new byte[4], value);
        }
    }

    private static (long Returned, RunFault? Fault) Said(ProgramResult result) => (result.ReturnValue, result.Fault);

    private static (long Returned, RunFault? Fault) Said(TestOutput output) => (output.ReturnValue, output.Fault);
}
