using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>A map could not be created.</summary>
public sealed class MapCreateException : Exception
{
    internal MapCreateException(MapSpec spec, Errno errno, DiagCode code = DiagCode.MapRefused)
        : base($"map \"{spec.Name}\" ({spec.Type}): {(code == DiagCode.MapRefused ? "the kernel refuses it with"
            : code == DiagCode.UnsupportedMapType ? "Kptr does not model the type," : "Kptr does not model a "
                + "field of its values,")} {errno}")
    {
        Errno = errno;
        Code = code;
    }

    /// <summary>What the system call returns.</summary>
    public Errno Errno { get; }

    /// <summary>Whether the kernel refuses the map or Kptr cannot model it.</summary>
    public DiagCode Code { get; }
}
