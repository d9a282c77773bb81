using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Objects;

namespace Kptr.Testing.Cells;

/// <summary>Something that a value of a cell owns: an object in a kptr slot, or a node of a list or tree.</summary>
internal sealed unsafe class CellThing
{
    private readonly KernelModel _kernel;
    private readonly KernelObject? _obj;
    private readonly int _base;
    private readonly int _callsBefore;

    private CellThing(KernelModel kernel, KernelObject? obj, ulong address, int countBefore)
    {
        _kernel = kernel;
        _obj = obj;
        Address = address;
        _base = countBefore;
        _callsBefore = DestructorBook.Of(kernel).CallsOf(address);
    }

    internal ulong Address { get; }

    /// <summary>Written through a pointer to a deleted value.</summary>
    internal bool IsLate { get; init; }

    /// <summary>A program took it out of its slot and released it: not the map's doing.</summary>
    internal bool IsTakenOut { get; set; }

    private int Others { get; init; }

    private bool IsWithoutDestructor { get; init; }

    /// <summary>How many places the ledger knows for each object, by its address.</summary>
    internal static Dictionary<ulong, int> PlacesIn(KernelModel kernel) => kernel.Ledger.Snapshot().Entries
        .Where(e => IsPlace(e.Holder)).CountBy(e => e.Address).ToDictionary();

    /// <summary>The same for some things.</summary>
    internal static Dictionary<ulong, int> PlacesOf(KernelModel kernel, IReadOnlyList<CellThing> things)
    {
        if (things.Any(t => t._obj is null))
        {
            return PlacesIn(kernel);
        }

        // The whole ledger is read out for nodes only, which nobody can name.
        var places = new Dictionary<ulong, int>();
        foreach (var obj in things.Select(t => t._obj!).Where(o => !o.IsFreed))
        {
            places[obj.Address] = PlacesOf(kernel, obj);
        }

        return places;
    }

    /// <summary>Whether its reference was given back; its destructor may wait for a grace period.</summary>
    internal bool IsReleased(Dictionary<ulong, int> places) =>
        _obj is null ? !places.ContainsKey(Address) : _obj.IsFreed || _obj.Count.Value == _base;

    /// <summary>Places of the reference, of which there must be one; none once it is given back.</summary>
    internal int PlacesOf(Dictionary<ulong, int> places) => places.GetValueOrDefault(Address) - Others;

    /// <summary>How often its destructor ran: where that is no kfunc, whether it is gone.</summary>
    internal int DestructorRuns(Dictionary<ulong, int> places) => _obj is null || IsWithoutDestructor
        ? IsReleased(places) ? 1 : 0
        : DestructorBook.Of(_kernel).CallsOf(Address) - _callsBefore;

    /// <summary>Whether the kit has objects for such a field.</summary>
    internal static bool CanMake(BtfField field) => field.Kind == BtfFieldKind.KptrRef && field.Pointee.Btf is not null
        && field.Pointee.Name is "task_struct" or "cgroup" or "bpf_cpumask";

    /// <summary>Puts a new object into a kptr slot.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="field">The field.</param>
    /// <param name="slot">Where it lies.</param>
    /// <param name="isLate">Whether the value is deleted.</param>
    /// <param name="old">Address of what was there; its reference is given back.</param>
    internal static CellThing Exchange(KernelModel kernel, BtfField field, ulong slot, bool isLate, out ulong old)
    {
        var (obj, reference) = Make(kernel, CanMake(field) ? field.Pointee.Name! : "bpf_cpumask");
        var countBefore = obj.Count.Value - 1;
        var others = obj is Cpumask ? 0 : PlacesOf(kernel, obj);
        var before = Unsafe.AsRef<Kptr<KernelObject>>((void*)slot).Exchange(reference);
        old = before?.Target.Address ?? 0;
        before?.Release();
        return new(kernel, obj, obj.Address, countBefore) 
        {
            IsLate = isLate, Others = others, IsWithoutDestructor = !CanMake(field),
        };
    }

    /// <summary>A node that a program put into a value, or its memory of each CPU.</summary>
    internal static CellThing OfProgram(KernelModel kernel, ulong address) => new(kernel, null, address, 0);

    private static int PlacesOf(KernelModel kernel, KernelObject obj) =>
        kernel.Ledger.WhoPins(obj).Entries.Count(e => IsPlace(e.Holder));

    // Value memory to which no key leads is a place as well: a late writer may have stored there.
    private static bool IsPlace(Holder holder) => holder is not (CSharpHolder or UnknownHolder) && !holder.IsKernel;

    private static (KernelObject, KernelRef<KernelObject>?) Make(KernelModel kernel, string type)
    {
        if (type == "bpf_cpumask")
        {
            KernelObject mask = new Cpumask(kernel);
            return (mask, KernelRef.Own(mask));
        }

        var obj = Stock.Of(kernel).Next(type);
        return (obj, obj.TryAcquire());
    }

    /// <summary>A cell begins: the objects of the one before are free.</summary>
    internal static void Restock(KernelModel kernel) => Stock.Of(kernel).Clear();

    /// <summary>Tasks and cgroups that live as long as their kernel, each once in a cell.</summary>
    private sealed class Stock(KernelCore kernel)
    {
        private readonly List<KernelObject> _tasks = [];
        private readonly List<KernelObject> _cgroups = [];
        private int _tasksTaken;
        private int _cgroupsTaken;

        internal static Stock Of(KernelCore kernel) => kernel.Single(static k => new Stock(k));

        internal void Clear() => (_tasksTaken, _cgroupsTaken) = (0, 0);

        internal KernelObject Next(string type) => type == "cgroup"
            ? Next(_cgroups, ref _cgroupsTaken, () => kernel.Cgroups.Create($"of cells {_cgroups.Count}"))
            : Next(_tasks, ref _tasksTaken, () => kernel.Tasks.Fork(kernel.Tasks.Init, $"of cells {_tasks.Count}"));

        private static KernelObject Next(List<KernelObject> all, ref int taken, Func<KernelObject> make)
        {
            if (taken == all.Count)
            {
                all.Add(make());
            }

            return all[taken++];
        }
    }
}
