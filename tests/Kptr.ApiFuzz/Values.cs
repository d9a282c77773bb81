using System.Collections;
using System.Collections.Immutable;
using System.Linq.Expressions;
using System.Reflection;
using System.Runtime.CompilerServices;
using Kptr.Execution;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Testing;

namespace Kptr.ApiFuzz;

/// <summary>
/// Makes arguments: boundary values, objects of the world (live, freed, disposed, of another kernel),
/// and what constructors give.
/// </summary>
internal sealed class Values(World world, Random random)
{
    private const int DepthMax = 4;

    private static readonly string[] s_strings =
    [
        "", " ", "\0", "task_struct", "cgroup", "bpf_task_acquire", "usage.refs.counter", "pid", "comm",
        "cpus_mask.bits[0]", "ancestors[0]",
        "ancestors[99999]", "ancestors[-1]", "a[", "a]b[", ".", "..", "on_newtask", "sched_switch", "task_newtask",
        "widget", "colour", "parts[3]", "parts[4]",
        "int", "struct x { int a; struct x *b; };", "r0 = 0", "exit", "/no/such/file", "\ud800", "%s%n",
        new('x', 300), new('y', 70_000),
    ];

    private static readonly long[] s_numbers =
    [
        0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 32, 63, 64, 255, 256, 4096, 65535, 65536, -1, -2, -4096,
        short.MaxValue, short.MinValue,
        int.MaxValue - 1, int.MaxValue, int.MinValue, int.MinValue + 1, uint.MaxValue, uint.MaxValue - 1L, 1L << 32,
        (1L << 31) + 8, 3_000_000_000,
        long.MaxValue, long.MinValue, long.MaxValue - 7,
    ];

    private static readonly Dictionary<Type, Func<bool, Delegate>> s_delegates = [];
    // Where they are left out, a call takes the minutes that it is documented to take.
    private static readonly Type[] s_budgets =
        [typeof(ExecOptions), typeof(ConformanceOptions), typeof(ProgramTestOptions), typeof(InterleavingOptions)];

    private readonly NullabilityInfoContext _nullability = new();
    private readonly KitValues _asked = new(world, random);

    /// <summary>
    /// The largest number asked for so far in this call: what excuses an <see cref="OutOfMemoryException"/>.
    /// </summary>
    internal long Largest { get; private set; }

    internal Random Random => random;

    internal void Begin() => Largest = 0;

    /// <summary>An object to call a member on.</summary>
    internal object? Target(Type type) => world.Pick(type, random) ?? Make(type, 0);

    /// <summary>An argument.</summary>
    /// <param name="type">The parameter's type.</param>
    /// <param name="target">What the member is called on; buffers take its sizes.</param>
    internal object? Argument(Type type, object? target)
    {
        if (type.IsByRef)
        {
            type = type.GetElementType()!;
        }

        if (Caller.IsSpan(type))
        {
            return Buffer(type.GetGenericArguments()[0], target);
        }

        return Make(type, 0, target);
    }

    // Inside of data (records, options, collections) nothing is null that its annotations call
    // not null: see the README.
    private object? MakePart(ParameterInfo parameter, int depth)
    {
        var type = parameter.ParameterType.IsByRef
            ? parameter.ParameterType.GetElementType()!
            : parameter.ParameterType;
        // A tuple says nothing of its parts; those of our data are never null.
        var mayBeNull = !typeof(ITuple).IsAssignableFrom(parameter.Member.DeclaringType)
            && MayBeNull(_nullability.Create(parameter), type);
        return Make(type, depth) ?? (mayBeNull ? null : Insist(type, depth));
    }

    private object? MakePart(PropertyInfo property, int depth) =>
        Make(property.PropertyType, depth) ?? (MayBeNull(_nullability.Create(property), property.PropertyType)
            ? null
            : Insist(property.PropertyType, depth));

    private static bool MayBeNull(NullabilityInfo info, Type type) =>
        type.IsValueType ? Nullable.GetUnderlyingType(type) is not null : info.WriteState == NullabilityState.Nullable;

    private object Insist(Type type, int depth)
    {
        for (var i = 0; i < 20; i++)
        {
            if (Make(type, depth) is { } made)
            {
                return made;
            }
        }

        throw new NothingToGiveException();
    }

    private object? Make(Type type, int depth, object? target = null)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return random.Next(3) == 0 ? null : Make(underlying, depth, target);
        }

        // Not by its constructors: a string of 2^30 characters is not forgotten by who is handed it.
        if (type == typeof(string))
        {
            return Primitive(type);
        }

        return Primitive(type) ?? (!type.IsValueType && !s_budgets.Contains(type) && random.Next(12) == 0 ? null
            : type.IsArray ? (random.Next(3) == 0 && type.GetElementType()!.IsPrimitive
                ? Buffer(type.GetElementType()!, target)
                : Items(type.GetElementType()!, depth))
            : typeof(Delegate).IsAssignableFrom(type) ? _asked.Handler(type) ?? Handler(type)
            : _asked.Make(type) ?? Collection(type, depth) ?? Known(type) ?? Object(type, depth));
    }

    private object? Primitive(Type type)
    {
        if (type == typeof(string))
        {
            return random.Next(15) == 0 ? null : s_strings[random.Next(s_strings.Length)];
        }

        if (type == typeof(bool))
        {
            return random.Next(2) == 0;
        }

        if (type.IsEnum)
        {
            var defined = Enum.GetValues(type);
            return random.Next(5) > 0 ? defined.GetValue(random.Next(defined.Length)) : Enum.ToObject(type, Number());
        }

        if (type == typeof(double) || type == typeof(float))
        {
            return Convert.ChangeType(random.Next(2) == 0 ? double.NaN : random.NextDouble(), type, null);
        }

        return type == typeof(Int128) ? (Int128)Number() : type == typeof(UInt128) ? (UInt128)(ulong)Number()
            : type.IsPrimitive ? Cast(type, Number()) : null;
    }

    private long Number()
    {
        var known = world.Numbers;
        var number = random.Next(10) switch
        {
            < 4 => random.Next(6),
            4 when known.Length > 0 =>
                (long)known[random.Next(known.Length)] + (random.Next(3) == 0 ? random.Next(-16, 64) : 0),
            5 => random.NextInt64(),
            _ => s_numbers[random.Next(s_numbers.Length)],
        };
        return number;
    }

    private object Cast(Type type, long number)
    {
        object cast = Type.GetTypeCode(type) switch
        {
            TypeCode.Byte => (byte)number,
            TypeCode.SByte => (sbyte)number,
            TypeCode.Int16 => (short)number,
            TypeCode.UInt16 => (ushort)number,
            TypeCode.Char => (char)number,
            TypeCode.Int32 => (int)number,
            TypeCode.UInt32 => (uint)number,
            TypeCode.UInt64 => (ulong)number,
            _ when type == typeof(nint) => (nint)number,
            _ when type == typeof(nuint) => (nuint)(ulong)number,
            _ => number,
        };
        Largest = Math.Max(Largest, cast is int small ? Math.Abs((long)small)
            : cast is uint word ? word
            : number == long.MinValue ? long.MaxValue
            : Math.Abs(number));
        return cast;
    }

    private Array? Buffer(Type element, object? target)
    {
        var length = target is BpfMap map
            ? random.Next(8) switch
            {
                0 => 0,
                1 or 2 => map.KeySize,
                3 or 4 => map.ValueSize,
                5 => map.UserValueSize,
                6 => map.KeySize * 3,
                _ => random.Next(70),
            }
            : random.Next(10) switch { 0 => 0, 1 => 1 << 16, 2 => 8, 3 => 4, 4 => 1, _ => random.Next(130) };
        var array = random.Next(20) == 0 ? null : Array.CreateInstance(element, Math.Clamp(length, 0, 1 << 20));
        switch (array)
        {
            case byte[] bytes when random.Next(2) == 0:
                random.NextBytes(bytes);
                break;
            case byte[] { Length: > 0 } bytes:
                bytes[0] = (byte)random.Next(4);
                break;
            case ulong[] words:
                for (var i = 0; i < words.Length; i++)
                {
                    words[i] = (ulong)Number();
                }

                break;
        }

        return array;
    }

    private Array? Items(Type element, int depth)
    {
        var array = Array.CreateInstance(element, depth > DepthMax ? 0 : random.Next(4));
        for (var i = 0; i < array.Length; i++)
        {
            var item = Make(element, depth + 1);
            if (item is null)
            {
                return Array.CreateInstance(element, 0);
            }

            array.SetValue(item, i);
        }

        return array;
    }

    private object? Collection(Type type, int depth)
    {
        if (!type.IsGenericType || (type.Namespace?.StartsWith("System", StringComparison.Ordinal) ?? false) == false)
        {
            return type == typeof(IEnumerable) ? Array.Empty<int>() : null;
        }

        var definition = type.GetGenericTypeDefinition();
        var arguments = type.GetGenericArguments();
        if (definition == typeof(ReadOnlyMemory<>) || definition == typeof(Memory<>))
        {
            return random.Next(2) == 0 && world.Pick(type, random) is { } known ? Mutated(known)
                : Activator.CreateInstance(type, Buffer(arguments[0], null));
        }

        if (definition == typeof(ImmutableArray<>))
        {
            return depth == 0 && random.Next(8) == 0
                ? Activator.CreateInstance(type)
                : Generic(nameof(ToImmutable), arguments[0], Items(arguments[0], depth));
        }

        if (definition == typeof(ImmutableDictionary<,>))
        {
            return type.GetField("Empty")!.GetValue(null);
        }

        if (typeof(IEnumerable).IsAssignableFrom(type) && arguments.Length == 1
            && type.IsAssignableFrom(arguments[0].MakeArrayType()))
        {
            return Items(arguments[0], depth);
        }

        if (arguments.Length == 2 && type.IsAssignableFrom(typeof(Dictionary<,>).MakeGenericType(arguments)))
        {
            return Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(arguments));
        }

        return null;
    }

    // A real object file with a few bytes changed gets further than noise.
    private object Mutated(object memory)
    {
        if (memory is not ReadOnlyMemory<byte> bytes)
        {
            return memory;
        }

        var copy = bytes.ToArray();
        for (var i = random.Next(6); i > 0 && copy.Length > 0; i--)
        {
            copy[random.Next(copy.Length)] = (byte)random.Next(256);
        }

        return new ReadOnlyMemory<byte>(copy, 0, random.Next(4) == 0 ? random.Next(copy.Length + 1) : copy.Length);
    }

    private object? Known(Type type)
    {
        // Without a limit a program of a random jump runs for minutes, as documented.
        return type == typeof(ExecOptions)
            ? new ExecOptions { Fuel = random.Next(4) switch { 0 => 0, 1 => -1, 2 => 1, _ => 20_000 } }
            : type == typeof(TimeProvider) ? world.Pick(typeof(VirtualClock), random) ?? new VirtualClock()
            : type == typeof(TimeSpan) ? (random.Next(3) switch { 0 => TimeSpan.Zero, 1 => TimeSpan.FromTicks(-1), _ =>
                TimeSpan.FromMilliseconds(random.Next(1000)) })
            : type == typeof(CancellationToken) ? new CancellationToken(random.Next(3) == 0)
            : type == typeof(Type) ? (random.Next(2) == 0 ? typeof(WidgetKfuncs) : typeof(string))
            : type == typeof(object) ? world.Pick(typeof(object), random)
            : type == typeof(System.Net.IPEndPoint) ? new System.Net.IPEndPoint(random.Next(), random.Next(65536))
            : type == typeof(Microsoft.Extensions.Logging.ILogger)
                ? Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance
            : null;
    }

    private object? Object(Type type, int depth)
    {
        if (depth <= DepthMax && random.Next(4) == 0 && Construct(type, depth) is { } made)
        {
            return made;
        }

        return world.Pick(type, random) ?? (depth <= DepthMax ? Construct(type, depth) : null)
            ?? (type.IsValueType && !typeof(ITuple).IsAssignableFrom(type) ? Activator.CreateInstance(type) : null);
    }

    private object? Construct(Type type, int depth)
    {
        if (type.IsAbstract || type.IsGenericTypeDefinition)
        {
            return null;
        }

        var constructors = type.GetConstructors();
        if (constructors.Length == 0)
        {
            return null;
        }

        var constructor = constructors[random.Next(constructors.Length)];
        if (constructor.GetParameters().Any(
            p => p.ParameterType.IsByRefLike || p.ParameterType.IsPointer || p.ParameterType == type))
        {
            return null;
        }

        try
        {
            var made = constructor.Invoke([.. constructor.GetParameters().Select(p => MakePart(p, depth + 1))]);
            foreach (var property in type.GetProperties().Where(IsInit))
            {
                if (random.Next(3) == 0)
                {
                    property.SetValue(made, MakePart(property, depth + 1));
                }
            }

            return made;
        }
        catch (Exception e) when (e is TargetInvocationException or NothingToGiveException)
        {
            // Called on its own, with its own journal entry, it says what it thinks of such arguments.
            return null;
        }
    }

    private static bool IsInit(PropertyInfo property) => property.SetMethod is { IsPublic: true, IsStatic: false } set
        && property.GetIndexParameters().Length == 0
        && Surface.IsInit(set);

    private Delegate Handler(Type type)
    {
        Func<bool, Delegate>? make;
        lock (s_delegates)
        {
            if (!s_delegates.TryGetValue(type, out make))
            {
                s_delegates[type] = make = MakerOf(type);
            }
        }

        return make(random.Next(6) == 0);
    }

    private static Func<bool, Delegate> MakerOf(Type type)
    {
        var invoke = type.GetMethod("Invoke")!;
        var parameters = invoke.GetParameters().Select(p => Expression.Parameter(p.ParameterType)).ToArray();
        var calm = Expression.Lambda(type, Expression.Default(invoke.ReturnType), parameters).Compile();
        var angry = Expression.Lambda(
            type, Expression.Throw(Expression.New(typeof(HandlerException)), invoke.ReturnType), parameters).Compile();
        return isAngry => isAngry ? angry : calm;
    }

    private static object? Generic(string name, Type argument, object? value) =>
        typeof(Values).GetMethod(name, BindingFlags.NonPublic | BindingFlags.Static)!
            .MakeGenericMethod(argument)
            .Invoke(null, [value]);

    private static ImmutableArray<T> ToImmutable<T>(T[] items) => [.. items];
}

/// <summary>There is no object of a type that must not be null.</summary>
internal sealed class NothingToGiveException : Exception;
