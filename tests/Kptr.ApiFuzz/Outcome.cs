using System.Diagnostics;
using System.Reflection;
using Kptr.Diagnostics;

namespace Kptr.ApiFuzz;

/// <summary>Which exceptions a public member may answer a caller with. The list is in the README.</summary>
internal static class Outcome
{
    private const long SizeAskedFor = 1 << 16;

    /// <summary>Whether an exception is a documented answer.</summary>
    /// <param name="exception">What came out of the call.</param>
    /// <param name="largest">The largest number among the arguments.</param>
    internal static bool IsDocumented(Exception exception, long largest) => exception switch
    {
        InvariantException => false,

        // What handlers and deferred work threw, handed to whoever made them run.
        AggregateException all => all.InnerExceptions.All(e => IsDocumented(e, largest)),
        ArgumentException or HandlerException or ObjectDisposedException or NotSupportedException
        or OperationCanceledException => true,
        InvalidOperationException =>
            exception.GetType() == typeof(InvalidOperationException) && IsThrownByKptr(exception),
        FormatException => exception.GetType() == typeof(FormatException)
            ? IsThrownByKptr(exception)
            : IsOfKptr(exception),
        IOException or UnauthorizedAccessException => true,
        OutOfMemoryException => largest >= SizeAskedFor,
        _ => IsOfKptr(exception),
    };

    /// <summary>One line: what, and where in Kptr.</summary>
    internal static string Describe(Exception exception)
    {
        var frames = new StackTrace(exception, false).GetFrames().Select(f => f.GetMethod()).OfType<MethodBase>()
            .Where(m => IsLibrary(m.DeclaringType?.Assembly)).Take(4).Select(
                m => $"{m.DeclaringType!.Name}.{m.Name}");
        return $"{exception.GetType().Name}: {exception.Message.ReplaceLineEndings(" ")} at "
            + $"{string.Join(" < ", frames)}";
    }

    // A "sequence contains no elements" of a collection inside is no answer to a caller.
    private static bool IsThrownByKptr(Exception exception) =>
        new StackTrace(exception, false).GetFrame(0)?.GetMethod()?.DeclaringType?.Assembly is { } assembly
        && (IsLibrary(assembly) || assembly == typeof(Outcome).Assembly);

    private static bool IsOfKptr(Exception exception) =>
        IsLibrary(exception.GetType().Assembly) && exception.GetType().IsVisible;

    private static bool IsLibrary(Assembly? assembly) => assembly is not null && Surface.Libraries.Contains(assembly);
}
