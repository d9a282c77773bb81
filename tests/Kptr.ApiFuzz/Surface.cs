using System.Reflection;
using System.Runtime.CompilerServices;
using Kptr.Objects;
using Kptr.Testing;
using Kptr.Tracing;

namespace Kptr.ApiFuzz;

/// <summary>A public member, closed over types, and how to call it.</summary>
internal sealed class Member(MethodBase method, string name)
{
    private Caller.Adapter? _adapter;

    internal MethodBase Method { get; } = method;

    internal string Name { get; } = name;

    internal ParameterInfo[] Parameters { get; } = method.GetParameters();

    internal object? Call(object? target, object?[] args) => (_adapter ??= Caller.Make(Method))(target, args);
}

/// <summary>Everything public of the library's assemblies, and what of it cannot be called from here.</summary>
internal sealed class Surface
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static
        | BindingFlags.DeclaredOnly;
    private const int ClosingsMax = 8;

    // What values and keys of C# structs are closed over.
    private static readonly Type[] s_structs =
        [
            typeof(int), typeof(long), typeof(byte), typeof(TaskValue), typeof(LockedValue), typeof(OddValue),
            typeof(LargeValue), typeof(Guid),
        ];

    private static readonly Type[] s_objects = [
        typeof(TaskStruct), typeof(Cgroup), typeof(Cpumask), typeof(Widget), typeof(KernelObject),
    ];
    private static readonly Type[] s_classes = [typeof(string), typeof(List<int>)];

    // They end the process or wait for ever by their documented meaning, on whatever they are called.
    private static readonly Dictionary<string, string> s_excluded = new()
    {
        ["Kptr.Maps.BpfSpinLock.Enter"] = "spins while somebody holds the lock",
        ["Kptr.Tracing.LiveProc.Run"] = "follows the machine until it is cancelled",
        ["Kptr.Tracing.LiveTrace.Start"] = "traces the machine it runs on, and its reader waits for what happens there",
    };

    private readonly List<Member> _members = [];
    private readonly SortedDictionary<string, string> _unreachable = new(StringComparer.Ordinal);

    internal Surface()
    {
        foreach (var type in Libraries.SelectMany(a => a.GetExportedTypes())
            .OrderBy(t => t.FullName, StringComparer.Ordinal)
            .Concat([typeof(OpenMap), typeof(HandMade), typeof(FalseView), typeof(Widget), typeof(WidgetKfuncs)]))
        {
            if (!type.IsEnum && !typeof(Delegate).IsAssignableFrom(type))
            {
                Add(type);
            }
        }
    }

    /// <summary>The assemblies whose public members are called.</summary>
    internal static IReadOnlyList<Assembly> Libraries { get; } =
        [typeof(KernelModel).Assembly, typeof(MapConformance).Assembly, typeof(TraceReader).Assembly];

    internal IReadOnlyList<Member> Members => _members;

    /// <summary>Members that are not called, with the reason.</summary>
    internal IReadOnlyDictionary<string, string> Unreachable => _unreachable;

    /// <summary>Closings of a generic definition's parameters that its constraints allow.</summary>
    internal static IEnumerable<Type[]> Closings(Type[] parameters, Random random)
    {
        var choices = parameters.Select(Choices).ToArray();
        var all = choices.Aggregate<Type[], IEnumerable<Type[]>>(
            [[]], (done, next) => done.SelectMany(d => next.Select(n => (Type[])[.. d, n])));
        return all.OrderBy(_ => random.Next()).Take(ClosingsMax);
    }

    private void Add(Type type)
    {
        if (!type.IsGenericTypeDefinition)
        {
            AddMembers(type);
            return;
        }

        foreach (var arguments in Closings(type.GetGenericArguments(), new Random(1)))
        {
            if (Try(() => type.MakeGenericType(arguments)) is { } closed)
            {
                AddMembers(closed);
            }
        }
    }

    private void AddMembers(Type type)
    {
        foreach (var constructor in type.IsAbstract ? [] : type.GetConstructors())
        {
            Add(constructor, $"new {NameOf(type)}");
        }

        foreach (var method in type.GetMethods(Declared).OrderBy(m => m.ToString(), StringComparer.Ordinal))
        {
            if (!method.IsGenericMethodDefinition)
            {
                Add(method, $"{NameOf(type)}.{method.Name}");
                continue;
            }

            foreach (var arguments in Closings(method.GetGenericArguments(), new Random(2)))
            {
                if (Try(() => method.MakeGenericMethod(arguments)) is { } closed)
                {
                    Add(closed, $"{NameOf(type)}.{method.Name}<{string.Join(", ", arguments.Select(NameOf))}>");
                }
            }
        }
    }

    private void Add(MethodBase method, string name)
    {
        var why = s_excluded.GetValueOrDefault($"{method.DeclaringType!.FullName}.{method.Name}")
            ?? Caller.Obstacle(method)
                ?? (method.Name.Contains('<')
                    ? "made by the compiler" : IsInit(method) ? "init: C# calls it on a new object only" : null);
        if (why is null)
        {
            _members.Add(new(
                method, $"{name}({string.Join(", ", method.GetParameters().Select(p => NameOf(p.ParameterType)))})"));
        }
        else
        {
            _unreachable[name] = why;
        }
    }

    /// <summary>Whether a method is a property's <c>init</c>.</summary>
    internal static bool IsInit(MethodBase? method) =>
        method is MethodInfo set && set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));

    private static Type[] Choices(Type parameter)
    {
        var constraints = parameter.GetGenericParameterConstraints();
        var attributes = parameter.GenericParameterAttributes;
        return (attributes & GenericParameterAttributes.NotNullableValueTypeConstraint) != 0 ? s_structs
            : constraints.Any(c => typeof(KernelObject).IsAssignableFrom(c)) ? s_objects
            : s_classes;
    }

    private static T? Try<T>(Func<T> make)
        where T : class
    {
        try
        {
            return make();
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    internal static string NameOf(Type type) =>
        type.IsByRef ? "ref " + NameOf(type.GetElementType()!)
        : type.IsArray ? NameOf(type.GetElementType()!) + "[]"
        : !type.IsGenericType ? type.Name
        : $"{type.Name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>";
}
