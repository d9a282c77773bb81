using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Kptr.Repo.Tests;

/// <summary>One type of the assembly mentions another of the same assembly.</summary>
internal readonly record struct TypeUse(string User, string Used);

/// <summary>Reads from compiled metadata and IL which types of an assembly mention which.</summary>
internal static class AssemblyUses
{
    public static IReadOnlyList<TypeUse> Read(string path)
    {
        using var pe = new PEReader(File.OpenRead(path));
        var md = pe.GetMetadataReader();
        var uses = new HashSet<TypeUse>();
        foreach (var handle in md.TypeDefinitions)
        {
            var scan = new TypeScan(md, pe, handle);
            foreach (var used in scan.Run())
            {
                uses.Add(new(scan.Name, used));
            }
        }

        return [.. uses.Where(u => u.User.StartsWith("Kptr.", StringComparison.Ordinal) && u.User != u.Used)];
    }

    private sealed class TypeScan(MetadataReader md, PEReader pe, TypeDefinitionHandle handle)
        : ISignatureTypeProvider<int, int>
    {
        private static readonly OpCode[] OneByteOps = Ops(1);
        private static readonly OpCode[] TwoByteOps = Ops(2);
        private readonly HashSet<string> _used = [];

        public string Name { get; } = FullName(md, handle);

        public HashSet<string> Run()
        {
            var type = md.GetTypeDefinition(handle);
            See(type.BaseType);
            foreach (var i in type.GetInterfaceImplementations())
            {
                See(md.GetInterfaceImplementation(i).Interface);
            }

            foreach (var f in type.GetFields())
            {
                md.GetFieldDefinition(f).DecodeSignature(this, 0);
            }

            foreach (var m in type.GetMethods())
            {
                SeeMethod(md.GetMethodDefinition(m));
            }

            return _used;
        }

        private void SeeMethod(MethodDefinition method)
        {
            method.DecodeSignature(this, 0);
            if (method.RelativeVirtualAddress == 0)
            {
                return;
            }

            var body = pe.GetMethodBody(method.RelativeVirtualAddress);
            if (!body.LocalSignature.IsNil)
            {
                md.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(this, 0);
            }

            var il = body.GetILContent();
            for (var at = 0; at < il.Length;)
            {
                var op = il[at] == 0xfe ? TwoByteOps[il[at + 1]] : OneByteOps[il[at]];
                at += op.Size;
                if (op.OperandType is OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok
                    or OperandType.InlineType)
                {
                    See(TokenAt(il, at));
                }

                at += OperandBytes(op, il, at);
            }
        }

        private static OpCode[] Ops(int size)
        {
            var ops = new OpCode[256];
            foreach (var field in typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static))
            {
                if (field.GetValue(null) is OpCode op && op.Size == size)
                {
                    ops[op.Value & 0xff] = op;
                }
            }

            return ops;
        }

        private static int OperandBytes(OpCode op, ImmutableArray<byte> il, int at) => op.OperandType switch
        {
            OperandType.InlineNone => 0,
            OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
            OperandType.InlineVar => 2,
            OperandType.InlineI8 or OperandType.InlineR => 8,
            OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(il.AsSpan(at, 4))),
            _ => 4,
        };

        private EntityHandle TokenAt(ImmutableArray<byte> il, int at)
        {
            var token = il[at] | (il[at + 1] << 8) | (il[at + 2] << 16) | (il[at + 3] << 24);
            var table = (TableIndex)((uint)token >> 24);
            if (table is not (TableIndex.TypeRef or TableIndex.TypeDef or TableIndex.TypeSpec or TableIndex.Field
                or TableIndex.MethodDef or TableIndex.MemberRef or TableIndex.MethodSpec))
            {
                return default;
            }

            var row = token & 0xffffff;
            return row > 0 && row <= md.GetTableRowCount(table) ? (EntityHandle)MetadataTokens.Handle(token) : default;
        }

        private void See(EntityHandle at)
        {
            if (at.IsNil)
            {
                return;
            }

            switch (at.Kind)
            {
                case HandleKind.TypeDefinition:
                    _used.Add(FullName(md, (TypeDefinitionHandle)at));
                    break;
                case HandleKind.TypeSpecification:
                    md.GetTypeSpecification((TypeSpecificationHandle)at).DecodeSignature(this, 0);
                    break;
                case HandleKind.FieldDefinition:
                    See(md.GetFieldDefinition((FieldDefinitionHandle)at).GetDeclaringType());
                    break;
                case HandleKind.MethodDefinition:
                    See(md.GetMethodDefinition((MethodDefinitionHandle)at).GetDeclaringType());
                    break;
                case HandleKind.MemberReference:
                    See(md.GetMemberReference((MemberReferenceHandle)at).Parent);
                    break;
                case HandleKind.MethodSpecification:
                    var spec = md.GetMethodSpecification((MethodSpecificationHandle)at);
                    See(spec.Method);
                    spec.DecodeSignature(this, 0);
                    break;
            }
        }

        public int GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle at, byte rawTypeKind)
        {
            _used.Add(FullName(md, at));
            return 0;
        }

        public int GetTypeFromSpecification(
            MetadataReader reader, int context, TypeSpecificationHandle at, byte rawTypeKind) =>
                reader.GetTypeSpecification(at).DecodeSignature(this, context);

        public int GetTypeFromReference(MetadataReader reader, TypeReferenceHandle at, byte rawTypeKind) => 0;

        public int GetArrayType(int elementType, ArrayShape shape) => 0;

        public int GetByReferenceType(int elementType) => 0;

        public int GetFunctionPointerType(MethodSignature<int> signature) => 0;

        public int GetGenericInstantiation(int genericType, ImmutableArray<int> typeArguments) => 0;

        public int GetGenericMethodParameter(int genericContext, int index) => 0;

        public int GetGenericTypeParameter(int genericContext, int index) => 0;

        public int GetModifiedType(int modifier, int unmodifiedType, bool isRequired) => 0;

        public int GetPinnedType(int elementType) => 0;

        public int GetPointerType(int elementType) => 0;

        public int GetPrimitiveType(PrimitiveTypeCode typeCode) => 0;

        public int GetSZArrayType(int elementType) => 0;
    }

    // A nested type counts as its outermost one.
    private static string FullName(MetadataReader md, TypeDefinitionHandle handle)
    {
        var type = md.GetTypeDefinition(handle);
        while (!type.GetDeclaringType().IsNil)
        {
            type = md.GetTypeDefinition(type.GetDeclaringType());
        }

        return md.GetString(type.Namespace) + "." + md.GetString(type.Name);
    }
}
