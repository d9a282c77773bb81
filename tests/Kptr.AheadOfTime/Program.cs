using Kptr;
using Kptr.AheadOfTime;
using Kptr.Maps;
using Kptr.Objects;

using var kernel = new KernelModel(new()
{
    Declarations = Widget.Declaration,
    Kfuncs = Widget.Kfuncs,
    LedgerLevel = LedgerLevel.Sites,
    Driver = DeferredDriver.Manual,
});

// A program stores widgets; a deleted slot and the map's end run the destructor that the class declares.
using (var obj = BpfObject.Open(Path.Combine(AppContext.BaseDirectory, "widget.bpf.o")).Load(kernel))
{
    foreach (var colour in (int[])[5, 6])
    {
        var result = obj.Programs["keep"].TestRun(BitConverter.GetBytes(colour));
        Console.WriteLine($"keep: r0 {result.ReturnValue}, fault {result.Fault?.ToString() ?? "none"}");
    }

    obj.Maps["slots"].DeleteElem(BitConverter.GetBytes(5));
    kernel.Quiesce();
    Console.WriteLine($"pinned: {kernel.Ledger.Snapshot().Entries.Count(e => e.TypeName == "widget")}");
}

kernel.Quiesce();

// A map of C# structs knows every kptr in its values.
using (var values = new HashMap<Key, Value>(kernel, 4))
{
    foreach (var field in values.Record.Fields)
    {
        Console.WriteLine($"{field.Name}: {field.Kind} at {field.OffsetBytes}, {field.Pointee.Name}, {field.Dtor}");
    }

    var key = new Key { Pair = (1, 2), Last = new() { Number = 3 } };
    using (kernel.Rcu.ReadLock())
    {
        values.LookupOrInit(key).Last.Exchange(Widget.Create(kernel, 7))?.Release();
        values.LookupOrInit(key).Generic.Second.Exchange(Widget.Create(kernel, 8))?.Release();
    }

    values.Delete(key);
    kernel.Quiesce();
}

kernel.Ledger.AssertAllReturned();
try
{
    using var hiding = new ArrayMap<Hiding>(kernel, 1);
    Console.WriteLine("a private struct inside: looked into");
}
catch (NotSupportedException)
{
    Console.WriteLine("a private struct inside: refused");
}
