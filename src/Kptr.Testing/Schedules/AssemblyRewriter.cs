using System.Diagnostics.CodeAnalysis;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Kptr.Testing.Schedules;

/// <summary>Makes a copy of an assembly whose code calls <see cref="Points"/> where threads may meet.</summary>
internal static class AssemblyRewriter
{
    private const string OwnName = "Kptr.Testing";
    private const string LocksOfKptr = "Kptr.Diagnostics.LockOrder";
    private const string NotesOfLocks = "Kptr.Diagnostics.HeldLocks";

    internal static byte[] Rewrite(string path, SiteTable sites, IEnumerable<string> folders)
    {
        using var resolver = new DefaultAssemblyResolver();
        resolver.AddSearchDirectory(Path.GetDirectoryName(path));
        foreach (var folder in folders)
        {
            resolver.AddSearchDirectory(folder);
        }

        var hasSymbols = File.Exists(Path.ChangeExtension(path, ".pdb"));
        using var module = ModuleDefinition.ReadModule(path, new ReaderParameters
        {
            AssemblyResolver = resolver,
            InMemory = true,
            ReadSymbols = hasSymbols,
            SymbolReaderProvider = hasSymbols ? new DefaultSymbolReaderProvider(false) : null,
        });
        OpenOurs(module);
        var hooks = new Hooks(module);
        foreach (var type in module.GetTypes().ToList())
        {
            if (type.FullName is LocksOfKptr or NotesOfLocks)
            {
                NoteLocks(type, hooks);
                continue;
            }

            foreach (var method in type.Methods.Where(m => m.HasBody).ToList())
            {
                new MethodRewriter(method, hooks, sites).Rewrite();
            }
        }

        using var copy = new MemoryStream();
        module.Write(copy, new WriterParameters());
        return copy.ToArray();
    }

    // Each lock of Kptr's own is announced there. What is noted about them is the thread's own.
    private static void NoteLocks(TypeDefinition type, Hooks hooks)
    {
        foreach (var method in type.Methods.Where(m => m.Name is "Entering" or "Left"))
        {
            var il = method.Body.GetILProcessor();
            var hook = hooks[method.Name == "Left" ? "LeaveLockOfKptr" : "EnterLockOfKptr"];
            var first = method.Body.Instructions[0];
            il.InsertBefore(first, Instruction.Create(OpCodes.Ldarg_0));
            il.InsertBefore(first, Instruction.Create(OpCodes.Call, hook));
        }
    }

    // The copy may call what is internal here.
    private static void OpenOurs(ModuleDefinition module)
    {
        var type = new TypeDefinition(
            "System.Runtime.CompilerServices", "IgnoresAccessChecksToAttribute",
            TypeAttributes.NotPublic | TypeAttributes.Sealed | TypeAttributes.Class,
            module.ImportReference(typeof(Attribute)));
        var constructor = new MethodDefinition(
            ".ctor",
            MethodAttributes.Public | MethodAttributes.HideBySig | MethodAttributes.SpecialName
                | MethodAttributes.RTSpecialName,
            module.TypeSystem.Void);
        constructor.Parameters.Add(new(module.TypeSystem.String));
        var il = constructor.Body.GetILProcessor();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Call, module.ImportReference(typeof(Attribute).GetConstructor(
            System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic, [])));
        il.Emit(OpCodes.Ret);
        type.Methods.Add(constructor);
        module.Types.Add(type);
        var attribute = new CustomAttribute(constructor);
        attribute.ConstructorArguments.Add(new(module.TypeSystem.String, OwnName));
        module.Assembly.CustomAttributes.Add(attribute);
    }
}

/// <summary>The methods of <see cref="Points"/> and <see cref="NativeBlocks"/>, for one module.</summary>
internal sealed class Hooks(ModuleDefinition module)
{
    private readonly Dictionary<string, MethodReference> _methods = [];

    internal ModuleDefinition Module => module;

    internal MethodReference this[string name] => In(typeof(Points), name);

    internal MethodReference OfBlocks(string name) => In(typeof(NativeBlocks), name);

    internal MethodReference Of(string name, TypeReference argument)
    {
        var method = new GenericInstanceMethod(this[name]);
        method.GenericArguments.Add(argument);
        return method;
    }

    private MethodReference In(
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.NonPublicMethods)] Type type, string name)
    {
        if (!_methods.TryGetValue(name, out var method))
        {
            _methods[name] = method = module.ImportReference(type.GetMethods(
                    System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)
                .SingleOrDefault(m => m.Name == name && !m.IsPrivate)
                ?? throw new MissingMethodException(type.Name, name));
        }

        return method;
    }
}
