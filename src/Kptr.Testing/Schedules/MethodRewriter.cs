using Mono.Cecil;
using Mono.Cecil.Cil;
using Mono.Cecil.Rocks;

namespace Kptr.Testing.Schedules;

/// <summary>Puts calls of <see cref="Points"/> into one method.</summary>
internal sealed partial class MethodRewriter(MethodDefinition method, Hooks hooks, SiteTable sites)
{
    private readonly MethodBody _body = method.Body;
    private readonly ILProcessor _il = method.Body.GetILProcessor();
    private readonly List<Instruction> _new = [];
    private readonly Dictionary<string, VariableDefinition> _spills = [];
    private readonly Dictionary<Instruction, SequencePoint> _lines = LinesOf(method);
    private bool _notesHolders;
    private SequencePoint? _line;

    internal void Rewrite()
    {
        _body.SimplifyMacros();
        var all = _body.Instructions.ToArray();
        _notesHolders = all.Any(i => i.Operand is MethodReference { Name: "Write" } m
            && m.DeclaringType.FullName == "System.Threading.Volatile");
        foreach (var instruction in all)
        {
            _line = _lines.GetValueOrDefault(instruction);
            Rewrite(instruction);
        }

        if (_spills.Count > 0)
        {
            _body.InitLocals = true;
        }

        _body.OptimizeMacros();
    }

    // Before anything is changed: Cecil moves the offsets along.
    private static Dictionary<Instruction, SequencePoint> LinesOf(MethodDefinition method)
    {
        var lines = new Dictionary<Instruction, SequencePoint>();
        if (method.DebugInformation.HasSequencePoints)
        {
            var points = method.DebugInformation.SequencePoints.Where(p => !p.IsHidden)
                .Select(p => (p.Offset, Point: p)).OrderBy(p => p.Offset).ToList();
            var next = 0;
            foreach (var instruction in method.Body.Instructions)
            {
                while (next < points.Count && points[next].Offset <= instruction.Offset)
                {
                    next++;
                }

                if (next > 0)
                {
                    lines[instruction] = points[next - 1].Point;
                }
            }
        }

        return lines;
    }

    private void Rewrite(Instruction at)
    {
        _new.Clear();
        switch (at.OpCode.Code)
        {
            case Code.Ldfld:
                LoadField(at, (FieldReference)at.Operand);
                break;
            case Code.Stfld:
                StoreField(at, (FieldReference)at.Operand);
                break;
            case Code.Ldflda:
                NoteHolder(at, (FieldReference)at.Operand);
                break;
            case Code.Ldsfld or Code.Stsfld:
                StaticField(at, (FieldReference)at.Operand);
                break;
            case Code.Ldind_I1 or Code.Ldind_U1 or Code.Ldind_I2 or Code.Ldind_U2 or Code.Ldind_I4 or Code.Ldind_U4
                or Code.Ldind_I8 or Code.Ldind_I or Code.Ldind_R4 or Code.Ldind_R8 or Code.Ldind_Ref or Code.Ldobj:
                LoadIndirect(at);
                break;
            case Code.Stind_I1 or Code.Stind_I2 or Code.Stind_I4 or Code.Stind_I8 or Code.Stind_I or Code.Stind_R4
                or Code.Stind_R8 or Code.Stind_Ref or Code.Stobj:
                StoreIndirect(at);
                break;
            case Code.Ldelem_I1 or Code.Ldelem_U1 or Code.Ldelem_I2 or Code.Ldelem_U2 or Code.Ldelem_I4
                or Code.Ldelem_U4 or Code.Ldelem_I8 or Code.Ldelem_I or Code.Ldelem_R4 or Code.Ldelem_R8
                or Code.Ldelem_Ref or Code.Ldelem_Any:
                LoadElement(at);
                break;
            case Code.Stelem_I1 or Code.Stelem_I2 or Code.Stelem_I4 or Code.Stelem_I8 or Code.Stelem_I
                or Code.Stelem_R4 or Code.Stelem_R8 or Code.Stelem_Ref or Code.Stelem_Any:
                StoreElement(at);
                break;
            case Code.Call or Code.Callvirt:
                Call(at, (MethodReference)at.Operand);
                break;
            case Code.Newobj when at.Operand is MethodReference made
                && made.DeclaringType.FullName == "System.Threading.Thread" && made.Parameters.Count == 1
                && made.Parameters[0].ParameterType.Name == "ThreadStart":
                Replace(at, Instruction.Create(OpCodes.Call, hooks["NewThread"]));
                break;
        }
    }

    private void LoadField(Instruction at, FieldReference field)
    {
        if (!IsShared(field) || !HasAddress(at, field))
        {
            return;
        }

        Emit(OpCodes.Dup);
        _new.Add(Instruction.Create(OpCodes.Ldflda, field));
        Site(IsVolatile(field) ? SiteKind.VolatileRead : SiteKind.Read, $"read {field.Name}");
        CallHook("Access");
        Insert(at);
    }

    private void StoreField(Instruction at, FieldReference field)
    {
        if (!IsShared(field))
        {
            return;
        }

        var type = Inflate(field.FieldType, field.DeclaringType, null);
        var kind = IsVolatile(field) ? SiteKind.VolatileWrite : SiteKind.Write;
        var value = Spill(type);
        _new.Add(Instruction.Create(OpCodes.Stloc, value));
        Emit(OpCodes.Dup);
        if (IsValue(field.DeclaringType))
        {
            _new.Add(Instruction.Create(OpCodes.Ldflda, field));
            Site(kind, $"write {field.Name}");
            CallStore(type);
        }
        else
        {
            Emit(OpCodes.Dup);
            _new.Add(Instruction.Create(OpCodes.Ldflda, field));
            Site(kind, $"write {field.Name}");
            _new.Add(Instruction.Create(OpCodes.Call, hooks.Of("StoreField", AsArgument(type))));
        }

        _new.Add(Instruction.Create(OpCodes.Ldloc, value));
        Insert(at);
    }

    private void NoteHolder(Instruction at, FieldReference field)
    {
        if (!_notesHolders || IsValue(field.DeclaringType) || !IsShared(field))
        {
            return;
        }

        Emit(OpCodes.Dup);
        Emit(OpCodes.Dup);
        _new.Add(Instruction.Create(OpCodes.Ldflda, field));
        CallHook("Note");
        Insert(at);
    }

    private void StaticField(Instruction at, FieldReference field)
    {
        if (!IsShared(field))
        {
            return;
        }

        var isStore = at.OpCode.Code == Code.Stsfld;
        var isVolatile = IsVolatile(field);
        _new.Add(Instruction.Create(OpCodes.Ldsflda, field));
        Site(isStore ? isVolatile ? SiteKind.VolatileWrite : SiteKind.Write
            : isVolatile ? SiteKind.VolatileRead : SiteKind.Read, $"{(isStore ? "write" : "read")} {field.Name}");
        if (isStore)
        {
            CallStore(Inflate(field.FieldType, field.DeclaringType, null));
        }
        else
        {
            CallHook("Access");
        }

        Insert(at);
    }

    private void LoadIndirect(Instruction at)
    {
        // What a local's address leads to is the thread's own.
        if (Before(at)?.OpCode.Code is Code.Ldloca or Code.Ldarga)
        {
            return;
        }

        Emit(OpCodes.Dup);
        Site(SiteKind.Read, "read memory");
        CallHook("Access");
        Insert(at);
    }

    private void StoreIndirect(Instruction at)
    {
        var value = Spill(at.OpCode.Code switch
        {
            Code.Stobj => (TypeReference)at.Operand,
            Code.Stind_I8 => hooks.Module.TypeSystem.Int64,
            Code.Stind_I => hooks.Module.TypeSystem.IntPtr,
            Code.Stind_R4 => hooks.Module.TypeSystem.Single,
            Code.Stind_R8 => hooks.Module.TypeSystem.Double,
            Code.Stind_Ref => hooks.Module.TypeSystem.Object,
            _ => hooks.Module.TypeSystem.Int32,
        });
        _new.Add(Instruction.Create(OpCodes.Stloc, value));
        Emit(OpCodes.Dup);
        Site(SiteKind.Write, "write memory");
        CallStore(StoredBy(at));
        _new.Add(Instruction.Create(OpCodes.Ldloc, value));
        Insert(at);
    }

    private TypeReference StoredBy(Instruction at) => at.OpCode.Code switch
    {
        Code.Stobj => (TypeReference)at.Operand,
        Code.Stind_I1 => hooks.Module.TypeSystem.SByte,
        Code.Stind_I2 => hooks.Module.TypeSystem.Int16,
        Code.Stind_I4 => hooks.Module.TypeSystem.Int32,
        Code.Stind_I8 => hooks.Module.TypeSystem.Int64,
        Code.Stind_I => hooks.Module.TypeSystem.IntPtr,
        Code.Stind_R4 => hooks.Module.TypeSystem.Single,
        Code.Stind_R8 => hooks.Module.TypeSystem.Double,
        _ => hooks.Module.TypeSystem.Object,
    };

    private void LoadElement(Instruction at)
    {
        var index = Spill(hooks.Module.TypeSystem.IntPtr);
        Emit(OpCodes.Conv_I);
        _new.Add(Instruction.Create(OpCodes.Stloc, index));
        Emit(OpCodes.Dup);
        _new.Add(Instruction.Create(OpCodes.Ldloc, index));
        ElementAddress(at);
        Site(SiteKind.Read, "read an element");
        CallHook("Access");
        _new.Add(Instruction.Create(OpCodes.Ldloc, index));
        Insert(at);
    }

    private void StoreElement(Instruction at)
    {
        var value = Spill(ElementOf(at.OpCode.Code, at.Operand));
        var index = Spill(hooks.Module.TypeSystem.IntPtr);
        _new.Add(Instruction.Create(OpCodes.Stloc, value));
        Emit(OpCodes.Conv_I);
        _new.Add(Instruction.Create(OpCodes.Stloc, index));
        Emit(OpCodes.Dup);
        Emit(OpCodes.Dup);
        _new.Add(Instruction.Create(OpCodes.Ldloc, index));
        ElementAddress(at);
        Site(SiteKind.Write, "write an element");
        _new.Add(Instruction.Create(
            OpCodes.Call, hooks.Of("StoreField", AsArgument(ElementOf(at.OpCode.Code, at.Operand)))));
        _new.Add(Instruction.Create(OpCodes.Ldloc, index));
        _new.Add(Instruction.Create(OpCodes.Ldloc, value));
        Insert(at);
    }

    private void ElementAddress(Instruction at)
    {
        Emit(OpCodes.Readonly);
        _new.Add(Instruction.Create(OpCodes.Ldelema, ElementOf(at.OpCode.Code, at.Operand)));
    }

    private TypeReference ElementOf(Code code, object? operand)
    {
        var types = hooks.Module.TypeSystem;
        return code switch
        {
            Code.Ldelem_Any or Code.Stelem_Any => (TypeReference)operand!,
            Code.Ldelem_I1 or Code.Stelem_I1 => types.SByte,
            Code.Ldelem_U1 => types.Byte,
            Code.Ldelem_I2 or Code.Stelem_I2 => types.Int16,
            Code.Ldelem_U2 => types.UInt16,
            Code.Ldelem_I4 or Code.Stelem_I4 => types.Int32,
            Code.Ldelem_U4 => types.UInt32,
            Code.Ldelem_I8 or Code.Stelem_I8 => types.Int64,
            Code.Ldelem_I or Code.Stelem_I => types.IntPtr,
            Code.Ldelem_R4 or Code.Stelem_R4 => types.Single,
            Code.Ldelem_R8 or Code.Stelem_R8 => types.Double,
            _ => types.Object,
        };
    }

    private void Emit(OpCode code) => _new.Add(Instruction.Create(code));

    // What lies on no heap is no type argument.
    private void CallStore(TypeReference type) => _new.Add(Instruction.Create(OpCodes.Call,
        IsByRefLike(type) ? hooks["Access"] : hooks.Of("Store", AsArgument(type))));

    private void CallHook(string name) => _new.Add(Instruction.Create(OpCodes.Call, hooks[name]));

    private void Site(SiteKind kind, string what)
    {
        var number = sites.Add(new(
            kind, what, $"{method.DeclaringType.Name}.{method.Name}", _line?.Document.Url, _line?.StartLine ?? 0));
        _new.Add(Instruction.Create(OpCodes.Ldc_I4, number));
    }

    private VariableDefinition Spill(TypeReference type, int index = 0)
    {
        if (!_spills.TryGetValue($"{index} {type.FullName}", out var spill))
        {
            _spills[$"{index} {type.FullName}"] = spill = new(type);
            _body.Variables.Add(spill);
        }

        return spill;
    }

    // Before a prefix, where there is one. The first instruction stays the same object: jumps lead to it.
    private void Insert(Instruction at)
    {
        while (at.Previous is { OpCode.OpCodeType: OpCodeType.Prefix } prefix)
        {
            at = prefix;
        }

        var moved = Instruction.Create(OpCodes.Nop);
        (moved.OpCode, moved.Operand) = (at.OpCode, at.Operand);
        (at.OpCode, at.Operand) = (_new[0].OpCode, _new[0].Operand);
        var last = at;
        foreach (var added in _new.Skip(1).Append(moved))
        {
            _il.InsertAfter(last, added);
            last = added;
        }
    }

    private static void Replace(Instruction at, Instruction by) => (at.OpCode, at.Operand) = (by.OpCode, by.Operand);
}
