using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Kptr.PublicDocs;

/// <summary>
/// The types and members of an assembly that code outside it can name, as documentation ids without parameters.
/// </summary>
internal sealed class PublicSurface
{
    private readonly HashSet<string> _names = [];
    private readonly MetadataReader _md;

    private PublicSurface(MetadataReader md) => _md = md;

    /// <summary>Reads an assembly's metadata; nothing of it is loaded or run.</summary>
    public static PublicSurface Read(string path)
    {
        using var pe = new PEReader(File.OpenRead(path));
        var surface = new PublicSurface(pe.GetMetadataReader());
        foreach (var handle in surface._md.TypeDefinitions)
        {
            surface.Add(surface._md.GetTypeDefinition(handle));
        }

        return surface;
    }

    /// <summary>
    /// Whether the id's type or member is visible; overloads share a name, and are kept where one of them is.
    /// </summary>
    public bool Contains(string id)
    {
        var name = id[2..].Split('(', '~')[0];
        var generic = name.IndexOf("``", StringComparison.Ordinal);
        return _names.Contains(id[0] == 'T' ? name : generic < 0 ? name : name[..generic]);
    }

    private void Add(TypeDefinition type)
    {
        if (!IsVisible(type))
        {
            return;
        }

        var name = NameOf(type);
        _names.Add(name);
        var methods = type.GetMethods().Select(_md.GetMethodDefinition).Where(m => IsVisible(m.Attributes));
        var names = methods.Select(m => _md.GetString(m.Name)).ToHashSet();
        var fields = type.GetFields().Select(_md.GetFieldDefinition)
            .Where(f => IsVisible((MethodAttributes)(f.Attributes & FieldAttributes.FieldAccessMask)))
            .Select(f => _md.GetString(f.Name));
        var properties = type.GetProperties().Select(h => _md.GetString(_md.GetPropertyDefinition(h).Name))
            .Where(p => names.Contains("get_" + p) || names.Contains("set_" + p));
        var events = type.GetEvents().Select(h => _md.GetString(_md.GetEventDefinition(h).Name))
            .Where(e => names.Contains("add_" + e));
        _names.UnionWith(names.Concat(fields).Concat(properties).Concat(events).Select(
            m => $"{name}.{m.Replace('.', '#')}"));
    }

    private bool IsVisible(TypeDefinition type) => (type.Attributes & TypeAttributes.VisibilityMask) switch
    {
        TypeAttributes.Public => true,
        TypeAttributes.NestedPublic or TypeAttributes.NestedFamily or TypeAttributes.NestedFamORAssem =>
            IsVisible(_md.GetTypeDefinition(type.GetDeclaringType())),
        _ => false,
    };

    private static bool IsVisible(MethodAttributes member) => (member & MethodAttributes.MemberAccessMask)
        is MethodAttributes.Public or MethodAttributes.Family or MethodAttributes.FamORAssem;

    private string NameOf(TypeDefinition type)
    {
        var name = _md.GetString(type.Name);
        return !type.GetDeclaringType().IsNil ? $"{NameOf(_md.GetTypeDefinition(type.GetDeclaringType()))}.{name}"
            : type.Namespace.IsNil ? name
            : $"{_md.GetString(type.Namespace)}.{name}";
    }
}
