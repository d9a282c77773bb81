using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Public.Tests.Objects;

/// <summary>Names that the kernel keeps and repeats in every report have an end, as Linux's have.</summary>
public class NameLimitTests
{
    [Fact]
    public void Names_AtTheLimitAreTaken_BeyondItRefused()
    {
        using var kernel = PublicKernel.Boot();
        Refused(255, n => kernel.Cgroups.Create(new string('c', n)));
        Refused(4095, n => _ = new KernelFile(kernel, new string('f', n)));
        Refused(511, n => kernel.EnterProgram(new string('p', n)).Dispose());

        using var map = new ArrayMap<long>(kernel, 1, new string('m', 511));
        var make = () => new ArrayMap<long>(kernel, 1, new string('m', 512));
        make.Should().Throw<MapCreateException>().Which.Errno.Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Create_CgroupWithASlash_IsNoName()
    {
        using var kernel = PublicKernel.Boot();
        var make = () => kernel.Cgroups.Create("a/b");
        make.Should().Throw<ArgumentException>().WithMessage("*path*");
    }

    [Fact]
    public void Comm_IsCutAsLinuxCutsIt()
    {
        using var kernel = PublicKernel.Boot();
        kernel.Tasks.Fork(kernel.Tasks.Init, new string('t', 1 << 20)).Comm.Should().Be(new string('t', 15));
    }

    [Fact]
    public void Site_OfALongFile_IsCut()
    {
        var site = new RefSite(new string('s', 10_000), 1, new string('p', 10_000));
        site.File.Should().HaveLength(4095);
        site.Prog.Should().HaveLength(511);
        (site with { File = new string('s', 10_000) }).File.Should().HaveLength(4095);
    }

    private static void Refused(int max, Action<int> make)
    {
        make(max);
        var tooLong = () => make(max + 1);
        tooLong.Should().Throw<ArgumentException>();
    }
}
