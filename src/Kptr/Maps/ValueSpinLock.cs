using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>Holds the <c>bpf_spin_lock</c> of a value for a copy.</summary>
internal readonly ref struct ValueSpinLock
{
    private readonly KernelCore _core;
    private readonly ulong _address;

    internal ValueSpinLock(KernelCore core, ulong address) // 0: there is none
    {
        _core = core;
        if (address != 0)
        {
            LockOrder.Entering(LockRank.ValueSpin);
            _address = KernelSpinLock.LockInside(core, address) ? address : 0;
            if (_address == 0)
            {
                LockOrder.Left(LockRank.ValueSpin);
            }
        }
    }

    public void Dispose()
    {
        if (_address != 0)
        {
            KernelSpinLock.Unlock(_core, _address);
            LockOrder.Left(LockRank.ValueSpin);
        }
    }
}
