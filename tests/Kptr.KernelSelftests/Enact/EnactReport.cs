using System.Globalization;
using Kptr.Execution;
using Kptr.Specs;

namespace Kptr.KernelSelftests.Enact;

/// <summary>
/// Does what the user space of selftests does, in our own C#: loads, sets variables, attaches, forks, fills and empties
/// maps, and looks at what programs left. Every reference is back afterwards.
/// </summary>
/// <remarks>Prints what is otherwise, each object with passed and total, and ends with
/// <c>enact: N of M</c>.</remarks>
public sealed class EnactReport
{
    private readonly Options _options;
    private readonly KernelSpec _kernel;
    private readonly ExecEngine _engine;
    private readonly List<(string Program, bool Agrees)> _judged = [];

    private EnactReport(Options options)
    {
        _options = options;
        _kernel = Kernel.Read(options);
        _engine = Enum.Parse<ExecEngine>(options["engine"] ?? nameof(ExecEngine.Auto), ignoreCase: true);
    }

    public static int Run(Options options) => new EnactReport(options).Run();

    private int Run()
    {
        var only = _options.All("object").ToHashSet();
        IEnumerable<EnactTest> all =
            [.. TaskSuite.All, .. KptrSuite.All, .. ProgSuite.All, .. TailSuite.All, .. MapSuite.All];
        foreach (var tests in all.Where(t => only.Count == 0 || only.Contains(t.Object)).GroupBy(t => t.Object))
        {
            var passed = tests.Count(Passes);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{passed}/{tests.Count()}\t{tests.Key}"));
        }

        var isNoWorse = _options["ratchet"] is not { } ratchet || Ratchet.Holds(ratchet, _judged);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"enact: {_judged.Count(j => j.Agrees)} of {_judged.Count} as the tests' user space expects"));
        return isNoWorse ? 0 : 1;
    }

    private bool Passes(EnactTest test)
    {
        var why = WhyNot(test);
        _judged.Add(($"{test.Object} {test.Name}", why is null));
        if (why is not null)
        {
            Console.WriteLine($"otherwise\t{test.Object} {test.Name}\t{why}");
        }

        return why is null;
    }

    private string? WhyNot(EnactTest test)
    {
        try
        {
            using var scene = new Scene(_kernel, _options["objects"]!, _engine);
            test.Act(scene);
            scene.End();
            return null;
        }
        catch (UnexpectedException e)
        {
            return e.Message;
        }
#pragma warning disable CA1031 // whatever it is, it is said of this test, and the next one is acted all the same
        catch (Exception e)
#pragma warning restore CA1031
        {
            return $"{e.GetType().Name}: {e.Message.Split('\n')[0]}";
        }
    }
}
