namespace Kptr.Verifier.Scalars;

/// <summary>Those of kernels before 6.8: see <see cref="EarlyScalars"/>.</summary>
internal sealed class EarlyRules : ScalarRules
{
    public static EarlyRules Instance { get; } = new();

    public override void Sync(ref ScalarRange r) => EarlyScalars.Sync(ref r);

    public override bool Apply(byte op, bool isSigned, bool is32, ref ScalarRange dst, in ScalarRange src) =>
        EarlyScalars.Apply(op, is32, ref dst, src);

    public override bool? Predict(byte op, in ScalarRange a, in ScalarRange b, bool is32, bool isSame) =>
        EarlyScalars.Predict(op, a, b, is32);

    public override void Refine(
        byte op, bool is32, ref ScalarRange taken, ref ScalarRange takenSrc, ref ScalarRange other, ref ScalarRange src)
        => EarlyScalars.Refine(op, is32, ref taken, ref takenSrc, ref other, ref src);

    public override void Truncate(ref ScalarRange r, int sizeBytes) => EarlyScalars.Truncate(ref r, sizeBytes);
}
