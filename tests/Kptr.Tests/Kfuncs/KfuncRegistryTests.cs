using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Kfuncs;

/// <summary>Kfuncs of a user's own: found by their class, or declared by hand.</summary>
public class KfuncRegistryTests
{
    [Fact]
    public void With_AClass_TakesNamesFlagsHooksAndDestructor()
    {
        var registry = KfuncRegistry.Builtin.With(typeof(OwnKfuncs));
        var spec = registry.SpecsOf(KernelProfile.Linux6_12)["own_put"];
        spec.Should().BeEquivalentTo(new
        {
            Flags = KfuncFlags.Release | KfuncFlags.Sleepable,
            Prototype = "void own_put(struct own *\"x\")",
            ProgTypes = new[] { ProgType.Xdp },
        });
        registry.SpecsOf(KernelProfile.Linux6_12)["own_get"].ProgTypes.Should().Equal(ProgType.Syscall);
        registry.SpecsOf(KernelProfile.Linux7_2).Should().NotContainKey("own_put").And.ContainKey("own_get_again");
        registry.DtorsOf(KernelProfile.Linux6_12)["own"].Should().Be("own_put");
    }

    [Fact]
    public void With_AClassOfKptr_IsAllowedToo() =>
        KfuncRegistry.Builtin.With(typeof(TaskKfuncs)).All.Should().HaveSameCount(KfuncRegistry.Builtin.All);

    [Fact]
    public void With_AClassWithoutKfuncs_IsTheCallersMistake()
    {
        var with = () => KfuncRegistry.Builtin.With(typeof(KfuncRegistryTests));
        with.Should().Throw<ArgumentException>().WithMessage("*declares no kfunc*");
    }

    [Fact]
    public void With_ADeclarationByHand_ReplacesTheClassesOwn()
    {
        var byHand = new KfuncDeclaration(
            new("own_negate") { Prototype = "u64 own_negate(u64 x)" }, (_, _, _, _, _, _) => 7);
        var registry = KfuncRegistry.Builtin.With(typeof(OwnKfuncs)).With(byHand);
        registry.SpecsOf(KernelProfile.Linux6_12)["own_negate"].Flags.Should().Be(KfuncFlags.None);
        registry.FindBody("own_negate", KernelProfile.Linux6_12)!(null!, 0, 0, 0, 0, 0).Should().Be(7);
    }

    [Fact]
    public void Bodies_CutArgumentsAndExtendResults_AsACompilerOfCDoes()
    {
        var registry = KfuncRegistry.Builtin.With(typeof(OwnKfuncs));
        ulong Call(string name, ulong r1, ulong r2 = 0) =>
            registry.FindBody(name, KernelProfile.Linux6_12)!(null!, r1, r2, 0, 0, 0);

        Call("own_negate", 0xffff_ffff_0000_0001).Should().Be(ulong.MaxValue);
        Call("own_is_odd", 0x100).Should().Be(0);
        Call("own_is_odd", 0x101).Should().Be(1);
        Call("own_profile", 0xffff_fffe).Should().Be(unchecked((ulong)(int)0xffff_fffe));
        Call("own_narrow", 0x1_8001, 0xff).Should().Be(unchecked((ulong)short.MinValue));
        Call("own_get", 1).Should().Be(0);
    }

    [KfuncSet(KfuncHooks.Syscall)]
    internal static class OwnKfuncs
    {
        [Kfunc("own_put", KfuncFlags.Release | KfuncFlags.Sleepable, DestructorOf = "own", Hooks = KfuncHooks.Xdp,
            Profiles = ProfileSet.Linux6_12, Prototype = "void own_put(struct own *\"x\")")]
        internal static void Put(ulong own) => _ = own;

        [Kfunc("own_get")]
        [Kfunc("own_get_again", Profiles = ProfileSet.Linux7_2)]
        internal static void Get(ulong own) => _ = own;

        [Kfunc("own_negate")]
        internal static int Negate(int value) => -value;

        [Kfunc("own_is_odd")]
        internal static bool IsOdd(bool value) => value;

        [Kfunc("own_profile")]
        internal static ProfileSet Same(ProfileSet value) => value;

        [Kfunc("own_narrow")]
        internal static short Narrow(short value, sbyte more) => (short)(value + more);
    }
}
