using Kptr.Diagnostics;

namespace Kptr.Specs;

/// <summary>Which helpers and kfuncs may fail whenever a program calls them, and what they return then.</summary>
internal static class FailableCalls
{
    /// <summary>The names of all of them that a kernel has.</summary>
    internal static IEnumerable<string> NamesIn(KernelSpec kernel) =>
        HelperTable.All.Where(h => OfHelper(h.Id) is not null).Select(h => h.Name).Distinct()
            .Concat(kernel.Kfuncs.Values.Where(k => OfKfunc(k) is not null).Select(k => k.Name));

    /// <summary>What a helper returns where it fails; null where it cannot.</summary>
    /// <remarks>An exchange always happens, and takes its reference: it cannot fail.</remarks>
    internal static ulong? OfHelper(HelperId id) => id switch
    {
        HelperId.MapUpdateElem or HelperId.MapPushElem => (ulong)-(long)(int)Errno.E2BIG,
        HelperId.KptrXchg => null,
        _ => HelperTable.Find(id) is { } helper && (helper.Ret & RetKind.MaybeNull) != 0 ? 0 : null,
    };

    /// <summary>What a kfunc returns where it fails; null where it cannot.</summary>
    /// <remarks>
    /// A reference on an object that the program owns is always to be had; what takes a reference away does so when it
    /// fails, too.
    /// </remarks>
    internal static ulong? OfKfunc(KfuncSpec kfunc) =>
        kfunc.Name is not ("bpf_refcount_acquire_impl" or "bpf_refcount_acquire")
        && (kfunc.Flags & (KfuncFlags.RetNull | KfuncFlags.Release)) == KfuncFlags.RetNull ? 0 : null;
}
