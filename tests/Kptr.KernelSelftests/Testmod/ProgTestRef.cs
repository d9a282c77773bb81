using Kptr.Objects;

namespace Kptr.KernelSelftests.Testmod;

/// <summary><c>struct prog_test_ref_kfunc</c>: one static object, which the module itself holds for ever.</summary>
public sealed class ProgTestRef : KernelObject
{
    /// <summary>Makes it with the values that selftests look for.</summary>
    public ProgTestRef(KernelCore kernel)
        : base(kernel, "prog_test_ref_kfunc", "cnt.refs.counter")
    {
        Write("a", 42);
        Write("b", 108);
        Write("next", Address);
    }

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders() => [new KernelHolder("bpf_testmod")];
}

/// <summary>
/// <c>struct bpf_testmod_ctx</c>: made by one kfunc, freed after a grace period when another drops the last reference.
/// </summary>
public sealed class TestModuleContext(KernelCore kernel)
    : KernelObject(kernel, "bpf_testmod_ctx", "usage.refs.counter");
