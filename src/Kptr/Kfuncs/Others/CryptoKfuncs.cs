using System.Runtime.CompilerServices;
using System.Text;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Crypto contexts. Kernel: kernel/bpf/crypto.c, 6.12.</summary>
[KfuncSet(KfuncHooks.Syscall)]
internal static class CryptoKfuncs
{
    private const int ParamsBytes = 408;
    private const int TypeBytes = 14;
    private const int AlgoOffset = 16;
    private const int AlgoBytes = 128;
    private const int KeyOffset = 144;
    private const int KeyBytesMax = 256;
    private const int KeyLengthOffset = 400;
    private const int AuthSizeOffset = 404;

    [Kfunc("bpf_crypto_ctx_create", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Sleepable,
        Prototype = "struct bpf_crypto_ctx *bpf_crypto_ctx_create(const struct bpf_crypto_params *params, "
            + "u32 params__sz, int *err)")]
    internal static KernelRef<CryptoCtx>? Create(
        ProgContext ctx, ulong parameters, uint size, ulong err, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        ctx.Core.MightSleep("bpf_crypto_ctx_create");
        var made = Make(ctx, parameters, size, out var result);
        ctx.Write(err, (int)result);
        return made is null ? null : KernelRef.Own(made, file, line);
    }

    [Kfunc("bpf_crypto_ctx_acquire", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Rcu,
        Prototype = "struct bpf_crypto_ctx *bpf_crypto_ctx_acquire(struct bpf_crypto_ctx *ctx)")]
    internal static KernelRef<CryptoCtx>? Acquire(
        CryptoCtx crypto, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        crypto.TryAcquire(file, line);

    [Kfunc("bpf_crypto_ctx_release", KfuncFlags.Release,
        Prototype = "void bpf_crypto_ctx_release(struct bpf_crypto_ctx *ctx)", DestructorOf = "bpf_crypto_ctx")]
    internal static void Release(
        [TakesOwnership] KernelRef<CryptoCtx> crypto, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        crypto.Release(file, line);

    [Kfunc("bpf_crypto_encrypt", KfuncFlags.Rcu,
        Hooks = KfuncHooks.Xdp | KfuncHooks.Tc | KfuncHooks.SchedAct,
        Prototype = "int bpf_crypto_encrypt(struct bpf_crypto_ctx *ctx, const struct bpf_dynptr *src, "
            + "const struct bpf_dynptr *dst, const struct bpf_dynptr *siv__nullable)")]
    internal static Errno Encrypt(ProgContext ctx, CryptoCtx crypto, ulong source, ulong target, ulong iv) =>
        Run(ctx, crypto, source, target, iv, isEncrypt: true);

    [Kfunc("bpf_crypto_decrypt", KfuncFlags.Rcu,
        Hooks = KfuncHooks.Xdp | KfuncHooks.Tc | KfuncHooks.SchedAct,
        Prototype = "int bpf_crypto_decrypt(struct bpf_crypto_ctx *ctx, const struct bpf_dynptr *src, "
            + "const struct bpf_dynptr *dst, const struct bpf_dynptr *siv__nullable)")]
    internal static Errno Decrypt(ProgContext ctx, CryptoCtx crypto, ulong source, ulong target, ulong iv) =>
        Run(ctx, crypto, source, target, iv, isEncrypt: false);

    private static CryptoCtx? Make(ProgContext ctx, ulong parameters, uint size, out Errno result)
    {
        if (parameters == 0 || size != ParamsBytes)
        {
            result = Errno.EINVAL;
            return null;
        }

        var bytes = ctx.Memory(parameters, ParamsBytes, isWrite: false);
        var algorithm = Text(bytes.Slice(AlgoOffset, AlgoBytes));
        var keyLength = BitConverter.ToUInt32(bytes[KeyLengthOffset..]);
        result = bytes[TypeBytes] != 0 || bytes[TypeBytes + 1] != 0 ? Errno.EINVAL
            : Text(bytes[..TypeBytes]) != "skcipher" ? Errno.ENOENT
            : !CryptoCtx.IsSupported(algorithm) || BitConverter.ToUInt32(bytes[AuthSizeOffset..]) != 0
                ? Errno.EOPNOTSUPP
            : keyLength is 0 or > KeyBytesMax || keyLength is not (16 or 24 or 32) ? Errno.EINVAL
            : Errno.None;
        return result == Errno.None ? new CryptoCtx(ctx.Core, algorithm, bytes.Slice(KeyOffset, (int)keyLength)) : null;
    }

    private static Errno Run(ProgContext ctx, CryptoCtx crypto, ulong source, ulong target, ulong iv, bool isEncrypt)
    {
        var (src, dst) = (Dynptr.Read(ctx, source), Dynptr.Read(ctx, target));
        var siv = iv == 0 ? default : Dynptr.Read(ctx, iv);
        if (dst.IsRdOnly || src.IsNull || dst.IsNull || src.Size == 0 || dst.Size == 0 || src.Size > dst.Size
            || siv.Size != crypto.IvBytes)
        {
            return Errno.EINVAL;
        }

        var from = ctx.Memory(src.Start(ctx), (int)src.Size, isWrite: false);
        var to = ctx.Memory(dst.Start(ctx), (int)dst.Size);
        var vector = siv.Size == 0 ? [] : ctx.Memory(siv.Start(ctx), (int)siv.Size);
        return (isEncrypt ? crypto.TryEncrypt(from, to, vector) : crypto.TryDecrypt(from, to, vector))
            ? Errno.None
            : Errno.EINVAL;
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)0);
        return Encoding.ASCII.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
