using System.Collections;
using System.Globalization;
using System.Text;

namespace Kptr.ApiFuzz;

/// <summary>
/// What a child does: calls members at random, on all its threads, and says which answered as none should.
/// </summary>
internal sealed class FuzzRun(FuzzOptions options, Journal journal)
{
    private const int ItemsMax = 64;
    private readonly Surface _surface = new();
    private readonly HashSet<string> _reported = [];
    private long _calls;
    private long _refused;

    internal int Go()
    {
        journal.Begin(0, "making the world");
        var world = new World(new Random(options.Seed));
        var threads = Enumerable.Range(0, options.Threads)
            .Select(t => new Thread(() => Loop(t, world), maxStackSize: 4 << 20) { IsBackground = true }).ToArray();
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());

        // What a finalizer thinks of all this shows here and not in somebody else's run.
        journal.Begin(0, "collecting garbage");
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.KeepAlive(world);
        journal.Begin(0, "");
        Say("DONE", _calls.ToString(CultureInfo.InvariantCulture), _refused.ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    private void Loop(int thread, World world)
    {
        var random = new Random(unchecked((options.Seed * 31) + thread));
        var values = new Values(world, random);
        var members = options.Only is { } only
            ? [.. _surface.Members.Where(m => m.Name.Contains(only, StringComparison.OrdinalIgnoreCase))]
            : _surface.Members;
        for (var i = 0; i < options.Calls; i++)
        {
            var member = members[random.Next(members.Count)];
            values.Begin();
            Call(thread, member, values, world);
        }

        journal.Begin(thread, "");
    }

    private void Call(int thread, Member member, Values values, World world)
    {
        journal.Begin(thread, $"making arguments for {member.Name}");
        var method = member.Method;
        var target = method.IsStatic || method.IsConstructor ? null : values.Target(method.DeclaringType!);
        if (target is null && !method.IsStatic && !method.IsConstructor)
        {
            return;
        }

        var args = member.Parameters.Select(p => values.Argument(p.ParameterType, target)).ToArray();
        for (var i = 0; i < args.Length; i++)
        {
            var type = member.Parameters[i].ParameterType;
            type = type.IsByRef ? type.GetElementType()! : type;
            if (args[i] is null && type.IsValueType && !type.IsByRefLike && Nullable.GetUnderlyingType(type) is null)
            {
                args[i] = Activator.CreateInstance(type);
            }
        }

        var call = Text(member, target, args);
        journal.Begin(thread, call);
        Interlocked.Increment(ref _calls);
        try
        {
            var result = member.Call(target, args);
            Compare(member, call, result, world, values);
            if (!method.IsConstructor || !args.Any(IsNothing))
            {
                Keep(result, world);
            }

            foreach (var arg in args)
            {
                Keep(arg, world);
            }
        }
        catch (Exception e) when (Outcome.IsDocumented(e, values.Largest))
        {
            Interlocked.Increment(ref _refused);
        }
        catch (Exception e)
        {
            Report(member, call, e);
        }
    }

    private void Compare(Member member, string call, object? result, World world, Values values)
    {
        if (result is not null && world.Pick(result.GetType(), values.Random) is { } other
            && RecordLaw.Breach(result, other) is { } stale)
        {
            Report(member, call, new RecordLawException(
                $"{Surface.NameOf(result.GetType())}.{stale} does not follow a copy with other properties"));
        }
    }

    private static void Keep(object? result, World world)
    {
        switch (result)
        {
            case ulong number:
                world.AddNumber(number);
                break;
            case Kptr.Objects.KernelObject obj:
                world.AddNumber(obj.Address);
                world.Add(obj);
                break;
            case null or string:
                break;
            case IEnumerable items when items is not IDisposable && IsWhole(items):
                // Members that yield run when they are walked. What reads as it is walked, and is disposed of, is kept.
                foreach (var item in items.Cast<object?>().Take(ItemsMax))
                {
                    Keep(item, world);
                }

                break;
            default:
                world.Add(result);
                break;
        }
    }

    // Data with a null or a default array that its annotations call neither is nobody's to look at again.
    private static bool IsNothing(object? arg) => arg is null || (arg is IEnumerable items && !IsWhole(items));

    // The default of an immutable array has no items to walk.
    private static bool IsWhole(IEnumerable items) =>
        items.GetType().GetProperty("IsDefault")?.GetValue(items) is not true;

    private void Report(Member member, string call, Exception exception)
    {
        var what = Outcome.Describe(exception);
        lock (_reported)
        {
            if (_reported.Add($"{member.Name}{exception.GetType()}"))
            {
                Say("FAULT", member.Name, what, call);
            }
        }
    }

    private static void Say(params string[] parts)
    {
        lock (Console.Out)
        {
            Console.Out.WriteLine(string.Join('\t', parts.Select(p => p.Replace('\t', ' ').ReplaceLineEndings(" "))));
            Console.Out.Flush();
        }
    }

    // Nothing of the library's own is called to describe a call of it.
    private static string Text(Member member, object? target, object?[] args)
    {
        var text = new StringBuilder(member.Name).Append(" on ").Append(Text(target)).Append(" with ");
        foreach (var arg in args)
        {
            text.Append(Text(arg)).Append(", ");
        }

        return text.ToString();
    }

    private static string Text(object? value) => value switch
    {
        null => "null",
        string text => $"\"{(text.Length > 40 ? text[..40] : text)}\"",
        Array array => $"{Surface.NameOf(array.GetType().GetElementType()!)}[{array.Length}]",
        IFormattable number when value.GetType().IsPrimitive || value.GetType().IsEnum =>
            number.ToString(null, CultureInfo.InvariantCulture),
        bool flag => flag ? "true" : "false",
        _ => Surface.NameOf(value.GetType()),
    };
}
