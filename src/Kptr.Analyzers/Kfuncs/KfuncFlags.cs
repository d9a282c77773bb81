namespace Kptr.Analyzers.Kfuncs;

/// <summary>The bits of Kptr's own <c>KfuncFlags</c> that signatures are held against.</summary>
[Flags]
internal enum KfuncFlags
{
    Acquire = 1 << 0,
    Release = 1 << 1,
    RetNull = 1 << 2,
    KptrGet = 1 << 3,
    IterNew = 1 << 8,
    IterNext = 1 << 9,
    IterDestroy = 1 << 10,
}
