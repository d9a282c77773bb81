using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Reads of the socket structs programs see (<c>struct bpf_sock</c>, <c>bpf_tcp_sock</c>,
/// <c>bpf_xdp_sock</c>).</content>
internal sealed partial class VerifierRun
{
    private const int SockBytes = 80;
    private const int TcpSockBytes = 112;

    private void CheckSockAccess(int regno, in RegState reg, int off, int size, bool write, int valueRegno)
    {
        if (write)
        {
            RejectReadOnly(regno, reg);
        }

        if (reg.Var.SMin < 0)
        {
            RejectNegativeMin(regno);
        }

        var valid = off >= 0 && off % size == 0 && reg.Type switch
        {
            RegType.PtrToSockCommon => off is not (>= 8 and < 24) && IsSockField(off, size),
            RegType.PtrToSocket => IsSockField(off, size),
            RegType.PtrToTcpSock => off < TcpSockBytes && size == (off is 80 or 88 ? 8 : 4),
            _ => off < 4 && size == 4,
        };
        if (!valid)
        {
            Reject(DiagCode.CtxAccessInvalid,
                $"R{regno} invalid {RegTypeName(reg.Type)} access off={off} size={size}", regno, Errno.EACCES);
        }

        MarkLoaded(write: false, valueRegno);
    }

    /// <summary>
    /// Kernel: <c>bpf_sock_is_valid_access</c> (net/core/filter.c, 6.12). Narrow reads start at a field.
    /// </summary>
    private static bool IsSockField(int off, int size) => off switch
    {
        >= SockBytes or (>= 50 and < 52) => false,
        48 or 49 => size <= (size == 4 ? 4 : 2),
        4 or 8 or 12 or 44 or 72 or 76 or (>= 24 and < 44) or (>= 52 and < 72) => size <= 4,
        _ => size == 4,
    };
}
