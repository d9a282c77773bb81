namespace Kptr.Verifier.Scalars;

/// <summary>Linux 6.12's: four ranges by their ends, which learn from each other.</summary>
internal sealed class EndRules : ScalarRules
{
    public static EndRules Instance { get; } = new();

    public override void Sync(ref ScalarRange r) => r.Sync();

    public override bool Apply(byte op, bool isSigned, bool is32, ref ScalarRange dst, in ScalarRange src) =>
        ScalarAlu.Apply(op, is32, ref dst, src);

    public override bool? Predict(byte op, in ScalarRange a, in ScalarRange b, bool is32, bool isSame) =>
        ScalarBranch.Predict(op, a, b, is32);

    public override void Refine(
        byte op, bool is32, ref ScalarRange taken, ref ScalarRange takenSrc, ref ScalarRange other, ref ScalarRange src)
    {
        ScalarBranch.Refine(op, false, ref other, ref src, is32);
        ScalarBranch.Refine(op, true, ref taken, ref takenSrc, is32);
    }

    public override void Truncate(ref ScalarRange r, int sizeBytes) => r.Truncate(sizeBytes);
}
