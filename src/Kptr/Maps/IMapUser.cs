using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>A program, as a map that can hold programs sees it.</summary>
internal interface IMapUser
{
    /// <summary>The program's kernel.</summary>
    KernelCore Core { get; }

    /// <summary>
    /// Whether the program may use the map, or be in it; the first one makes it a map of programs like it.
    /// </summary>
    bool TryUse(BpfMap map);
}
