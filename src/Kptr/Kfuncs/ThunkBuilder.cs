using System.Linq.Expressions;
using System.Reflection;
using System.Runtime.CompilerServices;
using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>Makes, from a declared C# method, what the machine calls: registers become its arguments, its result <c>r0</c>.</summary>
/// <remarks>
/// A parameter takes the next register, except <see cref="ProgContext"/> (who calls), <see cref="KernelCore"/> (where) and caller-info ones. Kernel objects come as their C# side, null for 0; a <see cref="KernelRef{T}"/> parameter takes the
/// program's reference away, a returned one gives it a reference. Narrow integers are cut, and results
/// extended by their sign, as a C compiler does.
/// </remarks>
internal static class ThunkBuilder
{
    private const int RegArgsMax = 5;

    private const BindingFlags Hidden = BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly Type[] s_scalars =
        [typeof(ulong), typeof(long), typeof(uint), typeof(int), typeof(ushort), typeof(short), typeof(byte), typeof(sbyte)];

    /// <summary>Refuses a method whose parameters or result have no place in registers.</summary>
    /// <exception cref="ArgumentException">Says which.</exception>
    internal static void CheckBindable(MethodInfo method)
    {
        var regs = 0;
        foreach (var parameter in method.GetParameters())
        {
            regs += IsHidden(parameter) ? 0 : 1;
            if (!IsHidden(parameter) && !IsValue(parameter.ParameterType))
            {
                throw new ArgumentException($"{method.DeclaringType}.{method.Name}: {parameter} cannot come from a register");
            }
        }

        if (regs > RegArgsMax || (method.ReturnType != typeof(void) && !IsValue(method.ReturnType)))
        {
            throw new ArgumentException($"{method.DeclaringType}.{method.Name} cannot be called through five registers and r0");
        }
    }

    /// <summary>Compiles the thunk.</summary>
    internal static CallThunk Build(MethodInfo method)
    {
        CheckBindable(method);
        var ctx = Expression.Parameter(typeof(ProgContext), "ctx");
        var regs = Enumerable.Range(1, RegArgsMax).Select(i => Expression.Parameter(typeof(ulong), $"r{i}")).ToArray();
        var next = 0;
        var args = method.GetParameters().Select(p => Argument(p, ctx, regs, ref next)).ToArray();
        var body = Result(Expression.Call(method, args), ctx);
        return Expression.Lambda<CallThunk>(body, $"thunk of {method.Name}", [ctx, .. regs]).Compile();
    }

    private static Expression Argument(ParameterInfo parameter, Expression ctx, Expression[] regs, ref int next)
    {
        var type = parameter.ParameterType;
        if (type == typeof(ProgContext))
        {
            return ctx;
        }

        if (type == typeof(KernelCore))
        {
            return Expression.Property(ctx, nameof(ProgContext.Core));
        }

        // A program's place is found when it is needed: the run on this thread knows it.
        if (IsHidden(parameter))
        {
            return Expression.Constant(parameter.DefaultValue, type);
        }

        return FromRegister(type, ctx, regs[next++]);
    }

    private static Expression FromRegister(Type type, Expression ctx, Expression reg)
    {
        if (type == typeof(bool))
        {
            return Expression.NotEqual(Expression.Convert(reg, typeof(byte)), Expression.Constant((byte)0));
        }

        if (s_scalars.Contains(type))
        {
            return Expression.Convert(reg, type);
        }

        if (type.IsEnum)
        {
            return Expression.Convert(Expression.Convert(reg, Enum.GetUnderlyingType(type)), type);
        }

        if (RefTarget(type) is not { } target)
        {
            return Expression.Call(ctx, ProgMethod(nameof(ProgContext.ObjectAt), type), reg);
        }

        var taken = Expression.Call(ctx, ProgMethod(nameof(ProgContext.TakeRef), target), reg);
        return Nullable.GetUnderlyingType(type) is null ? Expression.Call(taken, "GetValueOrDefault", []) : taken;
    }

    private static Expression Result(MethodCallExpression call, Expression ctx)
    {
        var type = call.Type;
        if (type == typeof(void))
        {
            return Expression.Block(call, Expression.Constant(0UL));
        }

        if (type == typeof(bool))
        {
            return Expression.Condition(call, Expression.Constant(1UL), Expression.Constant(0UL));
        }

        if (type.IsEnum)
        {
            return Expression.Convert(Expression.Convert(Expression.Convert(call, Enum.GetUnderlyingType(type)), typeof(long)), typeof(ulong));
        }

        if (s_scalars.Contains(type))
        {
            return Expression.Convert(Expression.Convert(call, typeof(long)), typeof(ulong));
        }

        if (RefTarget(type) is not { } target)
        {
            return Expression.Call(typeof(ThunkBuilder).GetMethod(nameof(AddressOf), Hidden | BindingFlags.Static)!, call);
        }

        var given = Nullable.GetUnderlyingType(type) is null ? Expression.Convert(call, typeof(Nullable<>).MakeGenericType(type)) : (Expression)call;
        return Expression.Call(ctx, ProgMethod(nameof(ProgContext.GiveRef), target), given);
    }

    private static MethodInfo ProgMethod(string name, Type type) =>
        typeof(ProgContext).GetMethod(name, Hidden | BindingFlags.Instance)!.MakeGenericMethod(type);

    private static ulong AddressOf(KernelObject? obj) => obj?.Address ?? 0;

    private static bool IsHidden(ParameterInfo parameter) =>
        parameter.ParameterType == typeof(ProgContext) || parameter.ParameterType == typeof(KernelCore)
        || parameter.IsDefined(typeof(CallerFilePathAttribute))
        || parameter.IsDefined(typeof(CallerLineNumberAttribute));

    private static bool IsValue(Type type) =>
        type == typeof(bool) || s_scalars.Contains(type) || type.IsEnum || RefTarget(type) is not null
        || typeof(KernelObject).IsAssignableFrom(type);

    /// <summary>The T of <c>KernelRef&lt;T&gt;</c> or its nullable form; null for any other type.</summary>
    private static Type? RefTarget(Type type)
    {
        var bare = Nullable.GetUnderlyingType(type) ?? type;
        return bare.IsGenericType && bare.GetGenericTypeDefinition() == typeof(KernelRef<>) ? bare.GetGenericArguments()[0] : null;
    }
}
