using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Memory with its size beside it, and constant strings.</content>
internal sealed partial class VerifierRun
{
    /// <summary>A kfunc's memory and size pair (<c>check_kfunc_mem_size_reg</c>).</summary>
    private void CheckKfuncMemSizeReg(int regno)
    {
        ref var mem = ref Reg(regno - 1);
        var saved = mem;
        if (saved.Type.MayBeNull())
        {
            MarkNotNull(ref mem);
        }

        _kfuncRaw.RawMode = false;
        CheckMemSizeReg(regno, write: false, zeroSizeAllowed: true, _kfuncRaw);
        CheckMemSizeReg(regno, write: true, zeroSizeAllowed: true, _kfuncRaw);
        if (saved.Type.MayBeNull())
        {
            mem = saved;
        }
    }

    private readonly RawStackArg _kfuncRaw = new();

    /// <summary>A string in a map that nobody can change (<c>check_reg_const_str</c>).</summary>
    private void CheckConstStr(int regno)
    {
        ref readonly var reg = ref Reg(regno);
        var map = reg.Map!;
        if ((map.FlagsInKernel & MapFlags.RdOnlyProg) == 0 || !map.Frozen)
        {
            Reject(DiagCode.CallArgInvalid, $"R{regno} does not point to a readonly map'", regno, Errno.EACCES);
        }

        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.CallArgInvalid, $"R{regno} is not a constant address'", regno, Errno.EACCES);
        }

        if (!HasDirectValue(map))
        {
            Reject(DiagCode.CallArgInvalid, "no direct value access support for this map type", regno, Errno.EACCES);
        }

        CheckMapAccess(regno, reg.Off, map.ValueSize - reg.Off, zeroSizeAllowed: false, byHelper: true);
        if (!ConstBytes(reg).Contains((byte)0))
        {
            Reject(DiagCode.CallArgInvalid, "string is not zero-terminated", regno);
        }
    }

    /// <summary>The bytes of a constant map value from where a register points.</summary>
    private static ReadOnlySpan<byte> ConstBytes(in RegState reg)
    {
        var map = reg.Map!;
        var at = reg.Off + (int)reg.Var.ConstValue;
        if (at < 0 || at >= map.ValueSize)
        {
            return [];
        }

        if (map.InitialValue.IsDefault || at >= map.InitialValue.Length)
        {
            return new byte[1];
        }

        var bytes = map.InitialValue.AsSpan(at, Math.Min(map.InitialValue.Length, map.ValueSize) - at);
        if (map.InitialValue.Length >= map.ValueSize || bytes.Contains((byte)0))
        {
            return bytes;
        }

        // What the initial value does not cover is zero.
        var padded = new byte[bytes.Length + 1];
        bytes.CopyTo(padded);
        return padded;
    }
}
