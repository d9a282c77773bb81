namespace Kptr.Maps;

internal sealed unsafe partial class ElemCache
{
    // Sends what leaves. What memory lacks for stays where it is, for the next call.
    private void Send()
    {
        if (Volatile.Read(ref _toLeave.Count) > 0)
        {
            try
            {
                _map.Allocating();
                new Leaving(this).Send();
            }
            catch (OutOfMemoryException)
            {
            }
        }
    }

    /// <summary>Elements on their way out, through both flavours.</summary>
    private sealed class Leaving(ElemCache cache)
    {
        private ElemList _elems;

        internal void Send()
        {
            using (cache._lock.Enter())
            {
                (_elems, cache._toLeave) = (cache._toLeave, default);
            }

            if (_elems.Count > 0
                && !cache.TryCall(
                    cache._map.Core.RcuTrace, static s => ((Leaving)s).AfterTtrace(), this, "bpf_mem_alloc"))
            {
                SendLater();
            }
        }

        private void AfterTtrace()
        {
            if (!cache.TryCall(cache._map.Core.Rcu, static s => ((Leaving)s).AfterBoth(), this, "bpf_mem_alloc"))
            {
                SendLater();
            }

            cache.Answered();
        }

        private void SendLater()
        {
            using (cache._lock.Enter())
            {
                cache.MoveAll(ref _elems, ref cache._toLeave);
            }
        }

        private void AfterBoth()
        {
            try
            {
                cache.DestroyFields(_elems);
            }
            finally
            {
                using (cache._lock.Enter())
                {
                    cache._leavingCount -= _elems.Count;
                    cache.ReturnFresh(ref _elems);
                }

                cache.Answered();
            }
        }
    }
}
