using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Programs;

/// <summary>An object of a user's own, and his kfuncs for it: as they should be, and with one fault each.</summary>
public sealed class Widget(KernelCore core) : KernelObject(core, "widget", "usage.refs.counter")
{
    internal const string Declarations = "struct widget { u32 colour; refcount_t usage; };";
    internal const string Create = "struct widget *widget_create(u32 colour)";
    internal const string Colour = "u32 widget_colour(struct widget *w)";
    internal const string Put = "void widget_put(struct widget *w)";

    internal uint ColourValue => Read<uint>("colour");

    internal static KernelRef<Widget> Make(KernelCore core, uint colour)
    {
        var widget = new Widget(core);
        widget.Write("colour", colour);
        return KernelRef.Own(widget);
    }
}

// What each must not do is what the analyzers say, too.
#pragma warning disable KPTR001, KPTR002, KPTR003, KPTR004

/// <summary>As they should be.</summary>
public static class SoundWidgets
{
    [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull, Prototype = Widget.Create)]
    public static KernelRef<Widget>? Create(KernelCore core, uint colour) => Widget.Make(core, colour);

    [Kfunc("widget_colour", KfuncFlags.TrustedArgs, Prototype = Widget.Colour)]
    public static uint ColourOf(Widget widget) => widget.ColourValue;

    [Kfunc("widget_put", KfuncFlags.Release, Prototype = Widget.Put, DestructorOf = "widget")]
    public static void Put(KernelRef<Widget> widget) => widget.Release();
}

/// <summary>Looking at a colour takes a reference that nobody gives back.</summary>
public static class LeakyWidgets
{
    [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull, Prototype = Widget.Create)]
    public static KernelRef<Widget>? Create(KernelCore core, uint colour) => Widget.Make(core, colour);

    [Kfunc("widget_colour", KfuncFlags.TrustedArgs, Prototype = Widget.Colour)]
    public static uint ColourOf(Widget widget) => widget.TryAcquire() is { } more ? more.Target.ColourValue : 0;

    [Kfunc("widget_put", KfuncFlags.Release, Prototype = Widget.Put, DestructorOf = "widget")]
    public static void Put(KernelRef<Widget> widget) => widget.Release();
}

/// <summary>Putting one back does nothing.</summary>
public static class KeptWidgets
{
    [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull, Prototype = Widget.Create)]
    public static KernelRef<Widget>? Create(KernelCore core, uint colour) => Widget.Make(core, colour);

    [Kfunc("widget_colour", KfuncFlags.TrustedArgs, Prototype = Widget.Colour)]
    public static uint ColourOf(Widget widget) => widget.ColourValue;

    [Kfunc("widget_put", KfuncFlags.Release, Prototype = Widget.Put, DestructorOf = "widget")]
    public static void Put(KernelRef<Widget> widget) => _ = widget.Target;
}

/// <summary>Putting one back does it twice.</summary>
public static class TwiceWidgets
{
    [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull, Prototype = Widget.Create)]
    public static KernelRef<Widget>? Create(KernelCore core, uint colour) => Widget.Make(core, colour);

    [Kfunc("widget_colour", KfuncFlags.TrustedArgs, Prototype = Widget.Colour)]
    public static uint ColourOf(Widget widget) => widget.ColourValue;

    [Kfunc("widget_put", KfuncFlags.Release, Prototype = Widget.Put, DestructorOf = "widget")]
    public static void Put(KernelRef<Widget> widget)
    {
        widget.Release();
        widget.Release();
    }
}

/// <summary>Some colours are an exception.</summary>
public static class ThrowingWidgets
{
    [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull, Prototype = Widget.Create)]
    public static KernelRef<Widget>? Create(KernelCore core, uint colour) => Widget.Make(core, colour);

    [Kfunc("widget_colour", KfuncFlags.TrustedArgs, Prototype = Widget.Colour)]
    public static uint ColourOf(Widget widget) => widget.ColourValue % 2 == 0
        ? widget.ColourValue : throw new InvalidOperationException("an odd colour");

    [Kfunc("widget_put", KfuncFlags.Release, Prototype = Widget.Put, DestructorOf = "widget")]
    public static void Put(KernelRef<Widget> widget) => widget.Release();
}

/// <summary>What is made first is forgotten where what is made next has no memory.</summary>
public static class WastefulWidgets
{
    [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull, Prototype = Widget.Create)]
    public static KernelRef<Widget>? Create(KernelCore core, uint colour)
    {
        var pattern = Widget.Make(core, colour);
        var widget = Widget.Make(core, pattern.Target.ColourValue);
        pattern.Release();
        return widget;
    }

    [Kfunc("widget_colour", KfuncFlags.TrustedArgs, Prototype = Widget.Colour)]
    public static uint ColourOf(Widget widget) => widget.ColourValue;

    [Kfunc("widget_put", KfuncFlags.Release, Prototype = Widget.Put, DestructorOf = "widget")]
    public static void Put(KernelRef<Widget> widget) => widget.Release();
}
