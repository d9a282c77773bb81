using System.Reflection;
using System.Text.RegularExpressions;

namespace Kptr.Mutation;

/// <summary>
/// A fact, or a row of a theory, run by reflection: what a runner of xunit adds takes longer than most tests.
/// </summary>
/// <remarks>Classes with fixtures, properties, and what is skipped are left out: they never kill.</remarks>
internal sealed class TestCase(Type type, MethodInfo method, object?[] row)
{
    /// <summary>All that the expression chooses, in the same order each time.</summary>
    public static List<TestCase> Find(Assembly tests, string classes) =>
        [.. from type in tests.GetTypes()
            where type.IsClass && !type.IsAbstract && type.GetConstructor(Type.EmptyTypes) is not null
            orderby type.FullName
            from method in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static)
            where Regex.IsMatch($"{type.FullName}.{method.Name}", classes)
            from row in Rows(method)
            select new TestCase(type, method, row)];

    /// <returns>Why it failed, or <see langword="null"/>.</returns>
    public string? Run()
    {
        object? instance = null;
        try
        {
            instance = method.IsStatic ? null : Activator.CreateInstance(type);
            switch (method.Invoke(instance, Arguments()))
            {
                case Task task:
                    task.GetAwaiter().GetResult();
                    break;
                case ValueTask task:
                    task.AsTask().GetAwaiter().GetResult();
                    break;
            }

            (instance as IDisposable)?.Dispose();
            return null;
        }
        catch (Exception e)
        {
            var inner = e is TargetInvocationException { InnerException: { } thrown } ? thrown : e;
            return $"{inner.GetType().Name}: {inner.Message}".ReplaceLineEndings(" ");
        }
    }

    public override string ToString() =>
        $"{type.Name}.{method.Name}({string.Join(", ", row.Select(a => a is Array ? "[]" : $"{a}"))})"
            .ReplaceLineEndings(" ");

    private static IEnumerable<object?[]> Rows(MethodInfo method)
    {
        var kind = method.GetCustomAttributesData().FirstOrDefault(
            a => a.AttributeType.Name is "FactAttribute" or "TheoryAttribute");
        if (kind is null || kind.NamedArguments.Any(a => a.MemberName == "Skip"))
        {
            return [];
        }

        return kind.AttributeType.Name == "FactAttribute" ? [[]]
            : method.GetCustomAttributes()
                .Where(a => a.GetType().Name.EndsWith("DataAttribute", StringComparison.Ordinal))
                .SelectMany(data => Data(data, method));
    }

    private static IEnumerable<object?[]> Data(Attribute data, MethodInfo method)
    {
        try
        {
            var rows = data.GetType().GetMethod("GetData")!.Invoke(data, [method]);
            return [.. (IEnumerable<object?[]>)rows!];
        }
        catch (TargetInvocationException)
        {
            return []; // the data stand on what is not here
        }
    }

    private object?[] Arguments()
    {
        var parameters = method.GetParameters();
        var given = parameters.Select((p, i) => i < row.Length ? Fit(row[i], p.ParameterType)
            : p.HasDefaultValue ? p.DefaultValue : null).ToArray();
        if (parameters is [.., var last] && last.IsDefined(typeof(ParamArrayAttribute))
            && !(row.Length == parameters.Length && row[^1] is Array))
        {
            var rest = Array.CreateInstance(
                last.ParameterType.GetElementType()!, Math.Max(0, row.Length - parameters.Length + 1));
            for (var i = 0; i < rest.Length; i++)
            {
                rest.SetValue(row[parameters.Length - 1 + i], i);
            }

            given[^1] = rest;
        }

        return given;
    }

    private static object? Fit(object? value, Type type) =>
        value is null || type.IsInstanceOfType(value) ? value
        : type.IsEnum ? Enum.ToObject(type, value)
        : Nullable.GetUnderlyingType(type) is { } inner ? Fit(value, inner)
        : value is IConvertible && typeof(IConvertible).IsAssignableFrom(type)
            ? Convert.ChangeType(value, type, System.Globalization.CultureInfo.InvariantCulture) : value;
}
