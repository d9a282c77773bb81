using Kptr;
using Kptr.Kfuncs;
using Kptr.Testing;

public static class Seats
{
    public static ProgramTestReport Check(string path) => ProgramTest.Check(() => BpfObject.Open(path));

    public static ProgramTestReport CheckOne(string path, string program, Type kfuncs, string declarations) =>
        ProgramTest.Check(() => BpfObject.Open(path), new()
        {
            Kernel = new() { Kfuncs = KfuncRegistry.Builtin.With(kfuncs), Declarations = declarations },
            Load = new() { Autoload = p => p.Name == program },
            Scripts = 20,
        });
}
