using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>Reports what C# code did wrong with references and slots, out of line.</summary>
internal static class Misuse
{
    /// <summary>Whether this kernel looks for such mistakes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool LooksFor(this KernelCore core, MisuseChecks checks) => (core.MisuseChecks & checks) != 0;

    /// <summary>Reports that a slot refused what was to be done with it.</summary>
    /// <param name="isCopy">Whether it is a copy; else the reference was spent.</param>
    /// <param name="obj">The object in the slot or on its way to it.</param>
    /// <param name="file">The caller's file; empty looks for it.</param>
    /// <param name="line">The caller's line.</param>
    internal static void ReportRefused(bool isCopy, KernelObject obj, string file, int line)
    {
        var site = Known(obj.Core, obj.Core.SiteHere(file, line));
        if (!isCopy)
        {
            ReportSpent(obj, "moved", site);
            return;
        }

        obj.Core.Report(new(DiagCode.KptrCopied,
            "a Kptr<T> is used that lies in no memory of this kernel: its value was copied, or its map is gone")
        {
            Object = obj.Describe(),
            Site = site,
        });
    }

    /// <summary>
    /// Reports that a slot held an object which nobody had put there: another value was copied over it.
    /// </summary>
    internal static void ReportUnowned(KernelObject obj, RefSite site) => obj.Core.Report(new(
        DiagCode.KptrCopied, "a slot holds an object that nobody put there: a value with a Kptr<T> was copied over it")
    {
        Object = obj.Describe(),
        Site = Known(obj.Core, site),
    });

    /// <summary>Reports that a reference is used though nobody has one on its object any more.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void ReportSpent(KernelObject obj, string what, RefSite site) => obj.Core.Report(new(
        DiagCode.RefUsedAfterMove, $"a reference is {what} after the last one on its object was released")
    {
        Object = obj.Describe(),
        Site = Known(obj.Core, site),
        EarlierSite = obj.LastRelease,
    });

    /// <summary>Reports a look at an object without a reference, outside an RCU reader.</summary>
    internal static void CheckReader(KernelObject obj)
    {
        if (obj.Core.LooksFor(MisuseChecks.Readers) && !obj.Core.Rcu.IsReader)
        {
            obj.Core.Report(new(
                DiagCode.PeekOutsideRcu, "Peek() outside an RCU reader: the object may be freed meanwhile")
            {
                Object = obj.Describe(),
                Site = obj.Core.SiteHere(),
            });
        }
    }

    private static RefSite Known(KernelCore core, RefSite site) => site.IsKnown ? site : core.SiteHere();
}
