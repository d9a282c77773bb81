namespace Kptr.Maps;

internal sealed unsafe partial class ElemCache
{
    private enum TtraceCall
    {
        Idle,
        Called,

        /// <summary>More elements came since the call; they wait for the next grace period.</summary>
        CalledAndMore,
    }

    /// <summary>
    /// One CPU's part of the allocator (<c>struct bpf_mem_cache</c>), and its ways through grace periods.
    /// </summary>
    private sealed class CpuStock
    {
        /// <summary>Handed out next (<c>free_llist</c>).</summary>
        internal ElemList Free;

        /// <summary>Wait to be told to RCU (<c>free_by_rcu</c>).</summary>
        internal ElemList ForRcu;

        private readonly ElemCache _cache;
        private ElemList _inRcu;         // waiting_for_gp
        private ElemList _forTtrace;     // free_by_rcu_ttrace
        private ElemList _inTtrace;      // waiting_for_gp_ttrace
        private ElemList _ending;
        private TtraceCall _ttraceCall;
        private bool _isPrefilled;

        internal CpuStock(ElemCache cache)
        {
            _cache = cache;
            Target = this;
        }

        /// <summary>
        /// The stock that the element given back last was taken from: it is handed what goes on from here (<c>tgt</c>).
        /// </summary>
        internal CpuStock Target { get; set; }

        /// <summary>Whether RCU was told and has not answered (<c>call_rcu_in_progress</c>).</summary>
        internal bool IsRcuCalled { get; private set; }

        /// <summary>How many wait for something. With the lock held.</summary>
        internal long DeferredCount =>
            ForRcu.Count + _inRcu.Count + _forTtrace.Count + _inTtrace.Count + _ending.Count;

        /// <summary>The first elements. With the lock held.</summary>
        internal void Prefill()
        {
            if (!_isPrefilled)
            {
                _isPrefilled = true;
                Refill(_cache._prefillCount);
            }
        }

        /// <summary>
        /// Those that wait for sleepable readers first, then fresh ones, ascending; for want of memory there are fewer
        /// (<c>alloc_bulk</c>). With the lock held.
        /// </summary>
        internal void Refill(int count)
        {
            count -= Reuse(ref _forTtrace, count);
            count -= Reuse(ref _inTtrace, count);
            ElemList taken = default;
            try
            {
                while (taken.Count < count)
                {
                    _cache.Push(ref taken, _cache.TakeFresh());
                }
            }
            catch (OutOfMemoryException)
            {
            }

            _cache.MoveAll(ref taken, ref Free);
        }

        /// <summary>Brings the stock between its marks and sends what waits (<c>bpf_mem_refill</c>).</summary>
        internal void Balance()
        {
            CpuStock? target = null;
            using (_cache._lock.Enter())
            {
                if (Free.Count < _cache._lowMark)
                {
                    Refill(_cache._batchCount);
                }
                else if (Free.Count > _cache._highMark)
                {
                    target = Target;
                    while (Free.Count > (_cache._highMark + _cache._lowMark) / 2)
                    {
                        _cache.Push(ref target._forTtrace, _cache.Pop(ref Free));
                    }
                }
            }

            target?.SendToTtrace();
            SendToRcu();
        }

        /// <summary>Tells RCU of what waits for it, unless it was told before and has not answered
        /// (<c>check_free_by_rcu</c>).</summary>
        internal void SendToRcu()
        {
            using (_cache._lock.Enter())
            {
                if (IsRcuCalled || ForRcu.Count == 0)
                {
                    return;
                }

                IsRcuCalled = true;
                (_inRcu, ForRcu) = (ForRcu, default);
            }

            if (!_cache.TryCall(_cache._map.Core.Rcu, static s => ((CpuStock)s).AfterRcu(), this, "bpf_mem_free_rcu"))
            {
                using (_cache._lock.Enter())
                {
                    IsRcuCalled = false;
                    _cache.MoveAll(ref _inRcu, ref ForRcu);
                }
            }
        }

        private int Reuse(ref ElemList waiting, int count)
        {
            var reused = 0;
            for (; reused < count && waiting.Count > 0; reused++)
            {
                _cache.Push(ref Free, _cache.Pop(ref waiting));
            }

            return reused;
        }

        // do_call_rcu_ttrace
        private void SendToTtrace()
        {
            using (_cache._lock.Enter())
            {
                if (_ttraceCall != TtraceCall.Idle)
                {
                    _ttraceCall = TtraceCall.CalledAndMore;
                    return;
                }

                BeginTtrace();
            }

            CallTtrace();
        }

        private void BeginTtrace()
        {
            _ttraceCall = TtraceCall.Called;
            _cache.MoveAll(ref _forTtrace, ref _inTtrace);
        }

        // What memory lacks for stays where it is: the next call sends it again, unless it is used before.
        private void CallTtrace()
        {
            if (!_cache.TryCall(
                    _cache._map.Core.RcuTrace, static s => ((CpuStock)s).AfterTtrace(), this, "bpf_mem_alloc"))
            {
                EndTtrace();
            }
        }

        private void EndTtrace()
        {
            using (_cache._lock.Enter())
            {
                _ttraceCall = TtraceCall.Idle;
            }
        }

        // In the order that the batch had, in front of what is there.
        private void AfterRcu()
        {
            CpuStock target;
            using (_cache._lock.Enter())
            {
                target = Target;
                ElemList turned = default;
                _cache.MoveAll(ref _inRcu, ref turned);
                _cache.MoveAll(ref turned, ref target._forTtrace);
            }

            target.SendToTtrace();
            using (_cache._lock.Enter())
            {
                IsRcuCalled = false;
            }

            _cache.Answered();
        }

        private void AfterTtrace()
        {
            if (!_cache.TryCall(_cache._map.Core.Rcu, static s => ((CpuStock)s).AfterBoth(), this, "bpf_mem_alloc"))
            {
                EndTtrace();
            }

            _cache.Answered();
        }

        // __free_rcu
        private void AfterBoth()
        {
            using (_cache._lock.Enter())
            {
                (_ending, _inTtrace) = (_inTtrace, default);
            }

            try
            {
                _cache.DestroyFields(_ending);
            }
            finally
            {
                GoOn();
                _cache.Answered();
            }
        }

        private void GoOn()
        {
            using (_cache._lock.Enter())
            {
                _cache.ReturnFresh(ref _ending);
                if (_ttraceCall != TtraceCall.CalledAndMore)
                {
                    _ttraceCall = TtraceCall.Idle;
                    return;
                }

                BeginTtrace();
            }

            CallTtrace();
        }
    }
}
