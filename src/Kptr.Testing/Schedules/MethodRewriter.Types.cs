using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Kptr.Testing.Schedules;

/// <summary>Which memory threads may share, and types as the method sees them.</summary>
internal sealed partial class MethodRewriter
{
    private bool IsShared(FieldReference field)
    {
        var found = field.Resolve();
        if (found is null || found.IsInitOnly || found.HasConstant || found.DeclaringType.IsEnum
            || IsByRefLike(found.DeclaringType) || IsByRefLike(field.FieldType)
            || found.FieldType is FunctionPointerType
            || found.CustomAttributes.Any(a => a.AttributeType.Name == "ThreadStaticAttribute"))
        {
            return false;
        }

        // An object that is being made is its maker's.
        return !(method.IsConstructor && method.DeclaringType == found.DeclaringType);
    }

    private static bool IsVolatile(FieldReference field) =>
        field.FieldType is RequiredModifierType { ModifierType.Name: "IsVolatile" };

    private static bool IsValue(TypeReference type) => type.Resolve()?.IsValueType ?? type.IsValueType;

    private static bool IsByRefLike(TypeReference type) => type is ByReferenceType
        || (!type.IsGenericParameter && type is not (ArrayType or PointerType) && (type.Resolve()?.CustomAttributes.Any(
            a => a.AttributeType.Name == "IsByRefLikeAttribute") ?? false));

    // Whether what lies on the stack is an object or an address: a struct's copy has no address.
    private static bool HasAddress(Instruction at, FieldReference field)
    {
        if (!IsValue(field.DeclaringType))
        {
            return true;
        }

        var before = Before(at);
        return before?.OpCode.Code switch
        {
            Code.Ldflda or Code.Ldsflda or Code.Ldelema or Code.Unbox
                or Code.Conv_U or Code.Conv_I or Code.Add or Code.Sub => true,
            Code.Ldarg => before.Operand is ParameterDefinition p
                && (p.ParameterType is ByReferenceType or PointerType || p.Index < 0),
            Code.Ldloc => before.Operand is VariableDefinition { VariableType: ByReferenceType or PointerType },
            Code.Ldfld or Code.Ldsfld => ((FieldReference)before.Operand).FieldType is PointerType,
            Code.Call or Code.Callvirt =>
                ((MethodReference)before.Operand).ReturnType is ByReferenceType or PointerType,
            _ => false,
        };
    }

    private static Instruction? Before(Instruction at)
    {
        var before = at.Previous;
        while (before?.OpCode.OpCodeType == OpCodeType.Prefix)
        {
            before = before.Previous;
        }

        return before;
    }

    // A pointer is no type argument: a number of its size stands for it.
    private TypeReference AsArgument(TypeReference type) =>
        type is PointerType ? hooks.Module.TypeSystem.IntPtr : type;

    private static TypeReference Inflate(TypeReference type, TypeReference? declaring, GenericInstanceMethod? called)
    {
        switch (type)
        {
            case IModifierType modified:
                return Inflate(modified.ElementType, declaring, called);
            case GenericParameter { Type: GenericParameterType.Type } parameter
                when declaring is GenericInstanceType instance:
                return instance.GenericArguments[parameter.Position];
            case GenericParameter { Type: GenericParameterType.Method } parameter when called is not null:
                return called.GenericArguments[parameter.Position];
            case ArrayType array:
                return new ArrayType(Inflate(array.ElementType, declaring, called), array.Rank);
            case ByReferenceType reference:
                return new ByReferenceType(Inflate(reference.ElementType, declaring, called));
            case PointerType pointer:
                return new PointerType(Inflate(pointer.ElementType, declaring, called));
            case GenericInstanceType made:
                var inflated = new GenericInstanceType(made.ElementType);
                foreach (var argument in made.GenericArguments)
                {
                    inflated.GenericArguments.Add(Inflate(argument, declaring, called));
                }

                return inflated;
            default:
                return type;
        }
    }
}
