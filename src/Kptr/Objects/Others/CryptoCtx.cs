using System.Security.Cryptography;

namespace Kptr.Objects;

/// <summary>A <c>struct bpf_crypto_ctx</c>: a keyed block cipher that programs may use.</summary>
/// <remarks>Counts as the kernel's does: freed by an RCU callback after the last release.</remarks>
public sealed class CryptoCtx : KernelObject
{
    private const string CountField = "usage.refs.counter";
    private static readonly FieldSpec[] Fields = [
        FieldSpec.Count(CountField), new("siv_len", 4), new("type", 8), new("tfm", 8),
    ];

    private readonly SymmetricAlgorithm _cipher;

    /// <summary>Makes a context; its one reference is the caller's (see <see cref="KernelRef.Own{T}"/>).</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="algorithm"><c>ecb(aes)</c> or <c>cbc(aes)</c>.</param>
    /// <param name="key">16, 24 or 32 bytes.</param>
    /// <exception cref="ArgumentException">The algorithm is not known (see <see cref="IsSupported"/>) or the key
    /// does not fit.</exception>
    public CryptoCtx(KernelCore core, string algorithm, ReadOnlySpan<byte> key)
        : base(core ?? throw new ArgumentNullException(nameof(core)),
            core.LayoutOf("bpf_crypto_ctx", Fields), CountField)
    {
        if (!IsSupported(algorithm) || key.Length is not (16 or 24 or 32))
        {
            Publish();
            Free();
            throw new ArgumentException("unknown algorithm or bad key size", nameof(algorithm));
        }

        Algorithm = algorithm;
        _cipher = Aes.Create();
        _cipher.Key = key.ToArray();
        IvBytes = algorithm.StartsWith("cbc", StringComparison.Ordinal) ? 16 : 0;
        Put("siv_len", (ulong)IvBytes);
        Publish();
    }

    /// <summary>The algorithm's name.</summary>
    public string Algorithm { get; } = "";

    /// <summary>Bytes of initialisation vector that each call needs.</summary>
    public int IvBytes { get; }

    /// <summary>Whether the model has this algorithm.</summary>
    public static bool IsSupported(string algorithm) => algorithm is "ecb(aes)" or "cbc(aes)";

    /// <summary>Encrypts whole blocks; false when sizes do not fit.</summary>
    public bool TryEncrypt(ReadOnlySpan<byte> source, Span<byte> destination, ReadOnlySpan<byte> iv) =>
        TryRun(source, destination, iv, true);

    /// <summary>Type and algorithm.</summary>
    public override string ToString() => $"{TypeName} {Algorithm}";

    /// <summary>Decrypts whole blocks; false when sizes do not fit.</summary>
    public bool TryDecrypt(ReadOnlySpan<byte> source, Span<byte> destination, ReadOnlySpan<byte> iv) =>
        TryRun(source, destination, iv, false);

    /// <inheritdoc/>
    protected override void OnFree() => _cipher?.Dispose();

    private bool TryRun(ReadOnlySpan<byte> source, Span<byte> destination, ReadOnlySpan<byte> iv, bool isEncrypt)
    {
        if (IsReadTooLate("tfm") || source.Length == 0 || source.Length % 16 != 0 || destination.Length < source.Length
            || iv.Length != IvBytes)
        {
            return false;
        }

        return (isEncrypt, IvBytes) switch
        {
            (true, 0) => _cipher.TryEncryptEcb(source, destination, PaddingMode.None, out _),
            (true, _) => _cipher.TryEncryptCbc(source, iv, destination, out _, PaddingMode.None),
            (false, 0) => _cipher.TryDecryptEcb(source, destination, PaddingMode.None, out _),
            (false, _) => _cipher.TryDecryptCbc(source, iv, destination, out _, PaddingMode.None),
        };
    }
}
