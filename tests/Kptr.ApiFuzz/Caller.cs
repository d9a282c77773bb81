using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Kptr.ApiFuzz;

/// <summary>
/// Makes a call that reflection cannot: spans come as arrays, refs are read and written where they lead.
/// </summary>
/// <remarks>
/// Each adapter is IL that may see public members only, so what it calls is what a user's C# can call.
/// </remarks>
internal static class Caller
{
    internal delegate object? Adapter(object? target, object?[] args);

    /// <summary>Why a member cannot be called from here; null when it can.</summary>
    internal static string? Obstacle(MethodBase method)
    {
        foreach (var type in method.GetParameters().Select(p => p.ParameterType).Append(
            method is MethodInfo m ? m.ReturnType : typeof(void)))
        {
            var bare = type.IsByRef ? type.GetElementType()! : type;
            if (bare.IsPointer || bare.IsFunctionPointer)
            {
                return "pointers need unsafe";
            }

            if (bare.IsByRefLike && !IsSpan(bare) && method.IsConstructor)
            {
                return "ref structs are exercised by hand";
            }

            if (type.IsByRef && bare.IsByRefLike)
            {
                return "a reference to a ref struct";
            }
        }

        return method.GetParameters().Any(p => p.ParameterType.IsByRefLike && !IsSpan(p.ParameterType))
            ? "takes a ref struct"
            : method.DeclaringType!.IsByRefLike && (!method.IsStatic || method.IsConstructor)
                ? "ref structs are exercised by hand" : null;
    }

    internal static Adapter Make(MethodBase method)
    {
        var adapter = new DynamicMethod(
            "call", typeof(object), [typeof(object), typeof(object[])], typeof(Caller).Module);
        var il = adapter.GetILGenerator();
        var target = method.DeclaringType!;
        if (!method.IsStatic && !method.IsConstructor)
        {
            il.Emit(OpCodes.Ldarg_0);
            il.Emit(target.IsValueType ? OpCodes.Unbox : OpCodes.Castclass, target);
        }

        var parameters = method.GetParameters();
        var locals = new LocalBuilder?[parameters.Length];
        for (var i = 0; i < parameters.Length; i++)
        {
            locals[i] = LoadArgument(il, parameters[i].ParameterType, i);
        }

        if (method is ConstructorInfo made)
        {
            il.Emit(OpCodes.Newobj, made);
            BoxResult(il, target);
        }
        else
        {
            il.Emit(method.IsVirtual && !target.IsValueType ? OpCodes.Callvirt : OpCodes.Call, (MethodInfo)method);
            BoxResult(il, ((MethodInfo)method).ReturnType);
        }

        for (var i = 0; i < parameters.Length; i++)
        {
            StoreBack(il, locals[i], i);
        }

        il.Emit(OpCodes.Ret);
        return adapter.CreateDelegate<Adapter>();
    }

    internal static bool IsSpan(Type type) =>
        type.IsGenericType && (type.GetGenericTypeDefinition() == typeof(Span<>)
            || type.GetGenericTypeDefinition() == typeof(ReadOnlySpan<>));

    private static LocalBuilder? LoadArgument(ILGenerator il, Type type, int index)
    {
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Ldc_I4, index);
        il.Emit(OpCodes.Ldelem_Ref);
        if (IsSpan(type))
        {
            var element = type.GetGenericArguments()[0];
            il.Emit(OpCodes.Castclass, element.MakeArrayType());
            il.Emit(OpCodes.Newobj, type.GetConstructor([element.MakeArrayType()])!);
            return null;
        }

        if (!type.IsByRef)
        {
            il.Emit(OpCodes.Unbox_Any, type);
            return null;
        }

        var local = il.DeclareLocal(type.GetElementType()!);
        il.Emit(OpCodes.Unbox_Any, local.LocalType);
        il.Emit(OpCodes.Stloc, local);
        il.Emit(OpCodes.Ldloca, local);
        return local;
    }

    private static void BoxResult(ILGenerator il, Type type)
    {
        if (type == typeof(void))
        {
            il.Emit(OpCodes.Ldnull);
        }
        else if (IsSpan(type))
        {
            var name = type.GetGenericTypeDefinition() == typeof(Span<>) ? nameof(UseSpan) : nameof(UseReadOnly);
            il.Emit(OpCodes.Call, Use(name, type.GetGenericArguments()[0]));
        }
        else if (type.IsByRef)
        {
            il.Emit(OpCodes.Call, Use(nameof(UseRef), type.GetElementType()!));
        }
        else if (type.IsByRefLike)
        {
            // A scope: it ends at once, on its own thread.
            var local = il.DeclareLocal(type);
            il.Emit(OpCodes.Stloc, local);
            il.Emit(OpCodes.Ldloca, local);
            il.Emit(OpCodes.Call, type.GetMethod("Dispose", Type.EmptyTypes)!);
            il.Emit(OpCodes.Ldnull);
        }
        else if (type.IsValueType)
        {
            il.Emit(OpCodes.Box, type);
        }
    }

    private static void StoreBack(ILGenerator il, LocalBuilder? local, int index)
    {
        if (local is null)
        {
            return;
        }

        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Ldc_I4, index);
        il.Emit(OpCodes.Ldloc, local);
        if (local.LocalType.IsValueType)
        {
            il.Emit(OpCodes.Box, local.LocalType);
        }

        il.Emit(OpCodes.Stelem_Ref);
    }

    private static MethodInfo Use(string name, Type element) =>
        typeof(Caller).GetMethod(name, BindingFlags.Static | BindingFlags.Public)!.MakeGenericMethod(element);

    /// <summary>Touches every element of a span, from end to end.</summary>
    public static object? UseSpan<T>(Span<T> span)
    {
        for (var i = 0; i < span.Length; i++)
        {
            var copy = span[i];
            span[i] = copy;
        }

        return span.ToArray();
    }

    /// <summary>Reads every element of a span.</summary>
    public static object? UseReadOnly<T>(ReadOnlySpan<T> span) => span.ToArray();

    /// <summary>Reads and writes what a ref leads to; kptrs are exchanged, as they must not be copied.</summary>
    public static object? UseRef<T>(ref T at)
    {
        if (Unsafe.IsNullRef(ref at))
        {
            return null;
        }

        if (typeof(T) == typeof(TaskValue))
        {
            ref var value = ref Unsafe.As<T, TaskValue>(ref at);
            value.Seen++;
            return value.Task.Exchange(null);
        }

        if (typeof(T) == typeof(LockedValue))
        {
            ref var value = ref Unsafe.As<T, LockedValue>(ref at);
            value.Plain++;
            value.Mask.Exchange(null)?.Release();
            return value.Cgroup.Exchange(null);
        }

        var copy = at;
        at = copy;
        return copy;
    }
}
