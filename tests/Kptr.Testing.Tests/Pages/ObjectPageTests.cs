using CustomObject;
using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr.Testing.Tests.Pages;

/// <summary>What docs/writing-an-object.md shows.</summary>
public class ObjectPageTests
{
    [Fact]
    public void GpuQueue_IsConformant() => ObjectConformance.Check(
        core => new GpuQueue(core, 7),
        new ObjectCapabilities
        {
            Declarations = GpuQueue.Declaration,
            Kfuncs = KfuncRegistry.Builtin.With(typeof(GpuQueue)),      // its destructor among them
        });

    [Fact]
    public void GpuQueueKfuncs_AreConformant() => KfuncConformance.Check(
        KfuncRegistry.Builtin.With(typeof(GpuQueue)),
        new KfuncCapabilities
        {
            Declarations = GpuQueue.Declaration,
            Objects = new Dictionary<string, Func<KernelCore, KernelObject>>
            {
                ["gpu_queue"] = core => new GpuQueue(core, 7),
            },
        },
        new() { Scripts = 20, Rounds = 5 });     // a quick run; 1000 and 50 otherwise
}
