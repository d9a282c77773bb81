using Kptr.Execution;
using Kptr.Specs;

namespace Kptr.Benchmarks;

/// <summary>A program of an object that is loaded into a kernel, so that something is proven of it.</summary>
internal sealed class VerifiedBenchProgram : IBenchProgram
{
    private readonly KernelModel _kernel = new(new() { Profile = KernelProfile.Linux7_2 });
    private readonly BpfObject _object;
    private readonly BpfProgram _program;
    private readonly byte[] _work = IBenchProgram.NewWork();

    internal VerifiedBenchProgram(string path)
    {
        _object = BpfObject.Open(path).Load(_kernel);
        _program = _object.Programs.Values.Single();
        if (_program.Verified.Proof.Refusal is { } refusal)
        {
            throw new InvalidOperationException(refusal.Message);
        }
    }

    /// <inheritdoc/>
    public ulong Run(ulong rounds, ExecOptions? options = null)
    {
        BitConverter.TryWriteBytes(_work, rounds);
        var result = _program.TestRun(_work.AsSpan(), options);
        return result.Fault is null
            ? (ulong)result.ReturnValue : throw new InvalidOperationException(result.Fault.ToString());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _object.Dispose();
        _kernel.Dispose();
    }
}
