using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Kptr.Testing.Schedules;

/// <summary>A user's scenario, in the rewritten copies.</summary>
[RequiresUnreferencedCode("Binds delegates to rewritten copies.")]
[RequiresDynamicCode("Binds delegates to rewritten copies.")]
internal sealed record Scenario(
    Func<object?> Setup, Action<object?>[] Threads, Action<object?>? Check, Action<object?>[] Interrupts)
{
    private const int GivenThreadsMax = 8;

    internal static Scenario Of<T>(
        Func<T> setup, IReadOnlyList<Action<T>> threads, Action<T>? check, IReadOnlyList<Action<T>>? interrupts)
    {
        ArgumentNullException.ThrowIfNull(setup);
        ArgumentNullException.ThrowIfNull(threads);
        if (threads.Count is 0 or > GivenThreadsMax)
        {
            throw new ArgumentException($"1 to {GivenThreadsMax} threads, not {threads.Count}", nameof(threads));
        }

        if (threads.Contains(null!) || interrupts?.Contains(null!) == true)
        {
            throw new ArgumentException("a thread or interrupt is null", nameof(threads));
        }

        return new(
            Maker(setup), [.. threads.Select(Taker)], check is null ? null : Taker(check),
            [.. (interrupts ?? []).Select(Taker)]);
    }

    private static Func<object?> Maker(Delegate given)
    {
        var (method, target) = ScenarioAssemblies.OfProcess.Twin(given);
        return Bind<Func<object?>>(nameof(Make), method.ReturnType, typeof(Func<>), method, target);
    }

    private static Action<object?> Taker(Delegate given)
    {
        var (method, target) = ScenarioAssemblies.OfProcess.Twin(given);
        return Bind<Action<object?>>(
            nameof(Take), method.GetParameters()[0].ParameterType, typeof(Action<>), method, target);
    }

    private static TDelegate Bind<TDelegate>(
        string name, Type shared, Type open, MethodInfo method, object? target) =>
        (TDelegate)typeof(Scenario).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!
            .MakeGenericMethod(shared)
            .Invoke(null, [Delegate.CreateDelegate(open.MakeGenericType(shared), target, method)])!;

    private static Func<object?> Make<T>(Func<T> make) => () => make();

    private static Action<object?> Take<T>(Action<T> take) => shared => take((T)shared!);
}
