namespace Kptr.Kfuncs;

/// <summary>A kfunc or helper as the machine calls it: registers in, <c>r0</c> out.</summary>
/// <param name="ctx">The run of the program that makes the call.</param>
/// <param name="r1">First argument register.</param>
/// <param name="r2">Second.</param>
/// <param name="r3">Third.</param>
/// <param name="r4">Fourth.</param>
/// <param name="r5">Fifth.</param>
public delegate ulong CallThunk(ProgContext ctx, ulong r1, ulong r2, ulong r3, ulong r4, ulong r5);
