using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>A helper or kfunc in a kernel with a <see cref="FaultPlan"/>, as the machine calls it.</summary>
internal static class FailingCall
{
    /// <summary>The call, which may fail before its body is reached, and inside it.</summary>
    /// <param name="body">What it does otherwise.</param>
    /// <param name="plan">Says when it fails.</param>
    /// <param name="name">Its name, which is a point of the plan where it can fail.</param>
    /// <param name="failure">What it returns then; null where it cannot fail.</param>
    /// <param name="isCertain">Whether it cannot fail with this first argument; null where it always can.</param>
    internal static CallThunk Of(CallThunk body, FaultPlan plan, string name, ulong? failure,
        Func<ProgContext, ulong, bool>? isCertain = null) =>
        failure is { } r0 ? Failable(body, plan, name, r0, isCertain) : Certain(body);

    private static CallThunk Failable(
        CallThunk body, FaultPlan plan, string name, ulong failure, Func<ProgContext, ulong, bool>? isCertain) =>
        (ctx, r1, r2, r3, r4, r5) =>
        {
            if (isCertain?.Invoke(ctx, r1) == true)
            {
                return body(ctx, r1, r2, r3, r4, r5);
            }

            if (plan.Pass(name, ctx.Prog.Name, ctx.Site))
            {
                return failure;
            }

            try
            {
                return body(ctx, r1, r2, r3, r4, r5);
            }
            catch (OutOfMemoryException)
            {
                return failure;
            }
        };

    // Its caller is not told to look for null: the reference that the body takes is always to be had.
    private static CallThunk Certain(CallThunk body) => (ctx, r1, r2, r3, r4, r5) =>
    {
        var thread = ctx.Core.Thread;
        thread.CertainCalls++;
        try
        {
            return body(ctx, r1, r2, r3, r4, r5);
        }
        finally
        {
            thread.CertainCalls--;
        }
    };
}
