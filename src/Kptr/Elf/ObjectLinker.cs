using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf.Linking;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>
/// Brings an object and a kernel together: afterwards every reference in a program is a number
/// (see <see cref="ProgSpec"/>).
/// </summary>
public static class ObjectLinker
{
    /// <summary>
    /// Resolves CO-RE relocations, kfuncs, kernel symbols, kconfig values, attach targets, map indexes and the
    /// special fields of map values.
    /// </summary>
    /// <param name="spec">The object as it was read.</param>
    /// <param name="kernel">The kernel it is for.</param>
    /// <param name="sink">Hears of everything that could not be resolved.</param>
    /// <param name="coReTypes">Types to apply CO-RE relocations against, where they are not to be
    /// the kernel's own.</param>
    /// <returns>
    /// The linked object. A program that could not be linked keeps its relocations and says why in
    /// <see cref="ProgSpec.LinkFault"/>; nobody should verify it.
    /// </returns>
    /// <exception cref="ArgumentException">The blueprint refers to an instruction or a type that
    /// is not there.</exception>
    public static ObjectSpec Link(ObjectSpec spec, KernelSpec kernel, DiagSink sink, KernelTypes? coReTypes = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(kernel.Profile, nameof(kernel));
        ArgumentNullException.ThrowIfNull(sink);
        SpecCheck.Require(spec);
        return new ObjectLink(spec, kernel, coReTypes ?? kernel.Types, sink).Run();
    }
}
