using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.AheadOfTime;

/// <summary>An object of our own, with kfuncs by its class.</summary>
public sealed class Widget(KernelCore core) : KernelObject(core, "widget", "usage.refs.counter")
{
    public const string Declaration = "struct widget { u32 colour; refcount_t usage; };";

    public static KfuncRegistry Kfuncs { get; } = KfuncRegistry.Builtin.With(typeof(Widget)).With(ByHand());

    public uint Colour => Read<uint>("colour");

    protected override void OnFree() => Console.WriteLine($"destructor: {Colour}");

    [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "struct widget *widget_create(u32 colour)")]
    internal static KernelRef<Widget>? Create(KernelCore core, uint colour)
    {
        var widget = new Widget(core);
        widget.Write("colour", colour);
        return KernelRef.Own(widget);
    }

    [Kfunc("widget_put", KfuncFlags.Release, Prototype = "void widget_put(struct widget *w)", DestructorOf = "widget")]
    internal static void Put(KernelRef<Widget> widget) => widget.Release();

    private static KfuncDeclaration ByHand() => new(
        new("widget_colour", KfuncFlags.TrustedArgs) { Prototype = "u32 widget_colour(struct widget *w)" },
        (ctx, w, _, _, _, _) => ctx.ObjectAt<Widget>(w)!.Colour);
}
