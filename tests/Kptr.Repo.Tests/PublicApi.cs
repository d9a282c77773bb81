using System.Reflection;
using System.Text;

namespace Kptr.Repo.Tests;

/// <summary>Describes an assembly's public surface as sorted lines, one text a namespace.</summary>
internal static class PublicApi
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static SortedDictionary<string, string> Describe(Assembly assembly)
    {
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var ns in assembly.GetExportedTypes().GroupBy(t => t.Namespace ?? "-"))
        {
            var text = new StringBuilder();
            foreach (var type in ns.OrderBy(TypeName, StringComparer.Ordinal))
            {
                Append(text, type);
            }

            all[ns.Key] = text.ToString();
        }

        return all;
    }

    private static void Append(StringBuilder text, Type type)
    {
        text.Append(KindOf(type)).Append(' ').Append(TypeName(type));
        var bases = (type.BaseType is { } b && b != typeof(object) && !type.IsValueType ? [TypeName(b)] : Array.Empty<string>())
            .Concat(type.IsEnum ? [] : type.GetInterfaces().Where(i => i.IsPublic && i.Assembly == type.Assembly).Select(TypeName).Order(StringComparer.Ordinal));
        var list = string.Join(", ", bases);
        text.Append(list.Length > 0 ? " : " + list : "").Append('\n');
        foreach (var line in MembersOf(type).Distinct().Order(StringComparer.Ordinal))
        {
            text.Append("    ").Append(line).Append('\n');
        }
    }

    private static IEnumerable<string> MembersOf(Type type)
    {
        if (type.IsEnum)
        {
            return Enum.GetNames(type).Select(n => $"{n} = {Convert.ToInt64(Enum.Parse(type, n), null)}");
        }

        return type.GetMembers(Declared).Select(Line).OfType<string>();
    }

    private static string? Line(MemberInfo member) => member switch
    {
        _ when member.Name.Contains('<') => null,
        ConstructorInfo c when IsSeen(c) => $"{Static(c)}new({Params(c)})",
        MethodInfo { IsSpecialName: true } m when !m.Name.StartsWith("op_", StringComparison.Ordinal) => null,
        MethodInfo m when IsSeen(m) && !IsRecordPlumbing(m) => $"{Static(m)}{TypeName(m.ReturnType)} {m.Name}{Generic(m)}({Params(m)})",
        PropertyInfo p when Accessors(p) is { Length: > 0 } a => $"{Static(p.GetAccessors(true)[0])}{TypeName(p.PropertyType)} {p.Name}{Index(p)} {{ {a} }}",
        FieldInfo { IsPublic: true } f => $"{(f.IsLiteral ? "const " : f.IsStatic ? "static " : "")}{TypeName(f.FieldType)} {f.Name}{Constant(f)}",
        EventInfo e when e.AddMethod is { IsPublic: true } => $"event {TypeName(e.EventHandlerType!)} {e.Name}",
        _ => null,
    };

    private static bool IsSeen(MethodBase m) => m.IsPublic || m.IsFamily || m.IsFamilyOrAssembly;

    private static bool IsRecordPlumbing(MethodInfo m) =>
        m.Name is "PrintMembers" or "GetHashCode" or "ToString" or "Equals" or "op_Equality" or "op_Inequality" or "Deconstruct"
        || m.Name == "get_EqualityContract";

    private static string Static(MethodBase m) => (m.IsFamily || m.IsFamilyOrAssembly ? "protected " : "")
        + (m.IsStatic ? "static " : m.IsAbstract ? "abstract " : m.IsVirtual && !m.IsFinal ? "virtual " : "");

    private static string Accessors(PropertyInfo p) => p.Name == "EqualityContract" ? "" : string.Join(" ", new[]
    {
        p.GetMethod is { } g && IsSeen(g) ? "get;" : "",
        p.SetMethod is not { } s || !IsSeen(s) ? ""
            : s.ReturnParameter.GetRequiredCustomModifiers().Any(t => t.Name == "IsExternalInit") ? "init;" : "set;",
    }.Where(a => a.Length > 0));

    private static string Constant(FieldInfo f) => f.IsLiteral ? $" = {f.GetRawConstantValue()}" : "";

    private static string Index(PropertyInfo p) =>
        p.GetIndexParameters() is { Length: > 0 } i ? $"[{string.Join(", ", i.Select(x => TypeName(x.ParameterType)))}]" : "";

    private static string Generic(MethodInfo m) =>
        m.IsGenericMethod ? $"<{string.Join(", ", m.GetGenericArguments().Select(a => a.Name))}>" : "";

    private static string Params(MethodBase m) => string.Join(", ", m.GetParameters().Select(p => $"{TypeName(p.ParameterType)} {p.Name}"));

    private static string KindOf(Type t) => t.IsEnum ? "enum" : t.IsInterface ? "interface" : t.IsValueType ? "struct"
        : typeof(Delegate).IsAssignableFrom(t) ? "delegate" : t is { IsAbstract: true, IsSealed: true } ? "static class"
        : t.IsAbstract ? "abstract class" : t.IsSealed ? "sealed class" : "class";

    private static string TypeName(Type t)
    {
        if (t.IsByRef)
        {
            return "ref " + TypeName(t.GetElementType()!);
        }

        if (t.IsArray || t.IsPointer)
        {
            return TypeName(t.GetElementType()!) + (t.IsArray ? "[]" : "*");
        }

        var name = t.IsGenericParameter ? t.Name : (t.DeclaringType is { } d ? TypeName(d) + "." : "") + t.Name.Split('`')[0];
        return t.IsGenericType ? $"{name}<{string.Join(", ", t.GetGenericArguments().Select(TypeName))}>" : name;
    }
}
