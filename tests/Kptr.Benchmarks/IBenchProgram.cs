using Kptr.Execution;

namespace Kptr.Benchmarks;

/// <summary>A program that does its work some times over.</summary>
internal interface IBenchProgram : IDisposable
{
    private const int HeaderBytes = 64;
    private const int DataBytes = 4096;

    /// <summary>Runs it once.</summary>
    /// <param name="rounds">How often it does its work.</param>
    /// <param name="options">The engine; null for the defaults.</param>
    /// <returns>What it returned.</returns>
    ulong Run(ulong rounds, ExecOptions? options = null);

    /// <summary>What programs work on: the count of rounds first, then bytes.</summary>
    static byte[] NewWork()
    {
        var work = new byte[HeaderBytes + DataBytes];
        for (var i = 0; i < DataBytes; i++)
        {
            work[HeaderBytes + i] = (byte)((i * 131) + 7);
        }

        return work;
    }
}
