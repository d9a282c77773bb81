namespace Kptr.Maps;

/// <summary>Holds the <c>bpf_spin_lock</c> of a value: four bytes, 1 while held.</summary>
internal readonly unsafe ref struct ValueSpinLock
{
    private readonly int* _word;

    internal ValueSpinLock(ulong address)
    {
        _word = (int*)address;
        var spin = default(SpinWait);
        while (Interlocked.CompareExchange(ref *_word, 1, 0) != 0)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    public void Dispose() => Volatile.Write(ref *_word, 0);
}
