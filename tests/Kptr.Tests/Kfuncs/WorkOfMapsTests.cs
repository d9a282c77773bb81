using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Soundness;
using Kptr.Verifier;

namespace Kptr.Tests.Kfuncs;

/// <summary>Which map a work queue may be initialised with.</summary>
public sealed class WorkOfMapsTests : IDisposable
{
    private readonly KernelModel _kernel = new(new() { Driver = DeferredDriver.Manual });

    public void Dispose() => _kernel.Dispose();

    [Theory]
    [InlineData("timed_array", Errno.None)]
    [InlineData("held_array", Errno.EINVAL)]
    public void Init_WithAMap_GoesWhereTheMapHasWork(string map, Errno answer)
    {
        var result = Verify(map);
        result.IsAccepted.Should().BeTrue(result.Message);
        result.Warnings.Length.Should().Be(answer == Errno.None ? 0 : 1);
        ImmutableArray<BpfMap?> maps =
            [.. result.Program!.Spec.Maps.Select(m => MapFactory.Create(_kernel, m))];
        var program = new BpfProgram(_kernel, result.Program, maps);
        ((int)program.RunWithArgs(1).ReturnValue).Should().Be((int)answer);
        program.Unload();
        maps.ToList().ForEach(m => m?.Dispose());
    }

    /// <summary>Linux looks into the special fields of a map that has none, and dies.</summary>
    [Fact]
    public void Init_WithAMapOfPlainValues_IsRefused() =>
        Verify("plain_array").Message.Should().Be("map 'plain_array' has no special fields");

    private VerifyResult Verify(string map)
    {
        GeneratedProgram text = new(
            "syscall",
            [
                "*(u64 *)(r10 - 8) = 0", "r1 = timed_array ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem",
                "if r0 == 0 goto none", "r1 = r0", "r1 += 16", $"r2 = {map} ll", "r3 = 0", "call bpf_wq_init",
                "exit", "none:", "r0 = 1", "exit",
            ]) { Base = ProgBase.Ownership };
        return BpfVerifier.Verify(text.TryLink(_kernel.Spec, new DiagSink())!, _kernel.Spec);
    }
}
