using System.Collections.Frozen;
using Kptr.Btf;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>The destructor kfuncs that a kernel's user wrote, by name.</summary>
/// <remarks>
/// Kernel: <c>field-&gt;kptr.dtor</c> in <c>bpf_obj_free_fields</c> (kernel/bpf/syscall.c, 6.12), found among what
/// was registered with <c>register_btf_id_dtor_kfuncs</c>. The bodies of Kptr's own destructors release the reference
/// and do nothing else, so nobody calls them for it.
/// </remarks>
internal sealed class Destructors : IDestructors
{
    private readonly ProgHost _host;
    private readonly FrozenDictionary<string, CallThunk> _bodies;

    private Destructors(ProgHost host, FrozenDictionary<string, CallThunk> bodies)
    {
        _host = host;
        _bodies = bodies;
    }

    /// <summary>Those of a kernel; null where its user wrote none.</summary>
    internal static Destructors? Of(ProgHost host)
    {
        if (ReferenceEquals(host.Kfuncs, KfuncRegistry.Builtin))
        {
            return null;
        }

        var (profile, plan) = (host.Core.Spec.Profile, host.Core.Options.FaultPlan);
        var bodies = new Dictionary<string, CallThunk>();
        foreach (var name in host.Core.Spec.Dtors.Values.Distinct())
        {
            if (host.Kfuncs.FindBody(name, profile) is { } body
                && body != KfuncRegistry.Builtin.FindBody(name, profile))
            {
                bodies.Add(name, plan is null ? body : FailingCall.Of(body, plan, name, failure: null));
            }
        }

        return bodies.Count == 0 ? null : new(host, bodies.ToFrozenDictionary());
    }

    /// <inheritdoc/>
    public bool TryRun(BtfField field, KernelObject obj)
    {
        if (NameFor(field, obj) is not { } name || !_bodies.TryGetValue(name, out var body))
        {
            return false;
        }

        // Where a program's instruction ended the memory, that is the place of all this.
        var core = _host.Core;
        var outer = core.Thread.Run as ProgContext;
        var ctx = new ProgContext(core, outer?.Prog ?? ProgSpec.WithoutCode(name), core.CurrentCpu, _host)
        {
            InsnIdx = outer?.InsnIdx ?? -1,
            Callbacks = _host.NoMachine,
        };
        try
        {
            core.Ledger.AcquiredByRun(obj, ctx);
            body(ctx, obj.Address, 0, 0, 0, 0);
        }
        catch (ProgramFaultException e)
        {
            core.Report(new(e.Code, $"the destructor {name}: {e.Message}") { Site = ctx.Site });
        }
        finally
        {
            ctx.End();
        }

        return true;
    }

    public override string ToString() => string.Join(", ", _bodies.Keys.Order(StringComparer.Ordinal));

    // A C# struct may keep objects under a base class, which says nothing of the kernel's type.
    private string? NameFor(BtfField field, KernelObject obj) => field.Dtor
        ?? (field.Pointee.Btf is null ? _host.Core.Spec.Dtors.GetValueOrDefault(obj.TypeName) : null);
}
