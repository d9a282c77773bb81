using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Elf;

namespace Kptr.Tests.Model;

/// <summary>
/// What a caller brings of another kernel, of another type or of nothing is refused where it is brought.
/// </summary>
public class ForeignTests
{
    [Fact]
    public void ProgramOfAnotherKernel_IsInNoArray()
    {
        using var ours = NewKernel();
        using var theirs = NewKernel();
        using var tracker = BpfObject.Open(TestData.Path("run", "control.bpf.o")).Load(theirs);
        using var array = new ProgArrayMap(
            ours, new("array", BpfMapType.ProgArray) { KeySize = 4, ValueSize = 4, MaxEntries = 1 });
        foreach (var program in tracker.Programs.Values)
        {
            var set = () => array.Set(0, program);
            set.Should().Throw<ArgumentException>().WithMessage("*is of another kernel than map \"array\"*");
        }

        array.TargetAt(0).Should().BeNull();
    }

    [Fact]
    public void ObjectOfAnotherType_IsNullForAHandler()
    {
        using var kernel = NewKernel();
        var seen = new List<TaskStruct?>();
        using var handler = kernel.On("task_newtask", (TaskStruct? task) => seen.Add(task));
        kernel.Raise("task_newtask", [kernel.Cgroups.Root.Address, 0]);
        kernel.Raise("task_newtask", [kernel.Tasks.Init.Address, 0]);
        kernel.Quiesce();
        seen.Should().Equal(null, kernel.Tasks.Init);
    }

    [Fact]
    public void OptionsThatThereAreNot_AreRefused()
    {
        var driver = () => new KernelModel(new() { Driver = (DeferredDriver)77 });
        driver.Should().Throw<ArgumentOutOfRangeException>();
        var level = () => new KernelModel(new() { LedgerLevel = (LedgerLevel)(-1) });
        level.Should().Throw<ArgumentOutOfRangeException>();
    }

    // Of each blueprint of an object, each property in turn is left out: null, zero or a default array.
    [Fact]
    public void BlueprintWithoutAProperty_IsJudgedOrRefused()
    {
        using var kernel = NewKernel();
        var whole = ElfObjects.Read("refused");
        IEnumerable<ObjectSpec> partial =
        [
            .. Without(whole),
            .. Without(whole.Progs[0]).Select(p => whole with { Progs = [p] }),
            .. Without(whole.Maps[0]).Select(m => whole with { Maps = [m] }),
            whole with { Progs = [null!] },
            whole with { Maps = [null!] },
            whole with { Externs = [null!] },
        ];
        foreach (var spec in partial)
        {
            var judge = () => ObjectCheck.Run(spec, kernel.Spec).ToList();
            try
            {
                judge();
            }
            catch (ArgumentException)
            {
            }
        }

        var noProfile = () => ObjectCheck.Run(whole, kernel.Spec with { Profile = null! }).ToList();
        noProfile.Should().Throw<ArgumentException>();
    }

    private static IEnumerable<T> Without<T>(T whole)
        where T : class
    {
        var copy = typeof(T).GetMethod("<Clone>$")!;
        foreach (var property in typeof(T).GetProperties().Where(p => p.CanWrite))
        {
            var partial = (T)copy.Invoke(whole, null)!;
            property.SetValue(partial, null);
            yield return partial;
        }
    }

    private static KernelModel NewKernel() => new(new() { Driver = DeferredDriver.Manual });
}
