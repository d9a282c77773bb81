namespace Kptr.Tests.Maps;

/// <summary>
/// Linux's LRU lists written as plainly as can be: each list is a <see cref="List{T}"/>, the newest first, and a scan
/// goes from its end. What <c>kernel/bpf/bpf_lru_list.c</c> does is stated here a second time, for comparison.
/// </summary>
internal sealed class LruModel
{
    private readonly Func<int, bool> _evict;
    private readonly bool _isPerCpu;
    private readonly int _scanMax;
    private readonly int _target;
    private readonly Common[] _lists;
    private readonly Local[] _cpus;
    private readonly Dictionary<int, List<int>> _listOf = [];
    private readonly Dictionary<int, int> _cpuOf = [];
    private readonly HashSet<int> _marked = [];

    internal LruModel(int elemCount, int cpuCount, bool isPerCpu, Func<int, bool> evict)
    {
        _evict = evict;
        _isPerCpu = isPerCpu;
        _scanMax = isPerCpu ? 4 : 128;
        _target = isPerCpu ? 4 : Math.Clamp(elemCount / cpuCount / 2, 1, 128);
        _lists = [.. Enumerable.Range(0, isPerCpu ? cpuCount : 1).Select(_ => new Common())];
        _cpus = [.. Enumerable.Range(0, cpuCount).Select(cpu => new Local { NextSteal = cpu })];
        for (var elem = 0; elem < elemCount; elem++)
        {
            _cpuOf[elem] = elem / (elemCount / _lists.Length);
            Put(elem, _lists[isPerCpu ? _cpuOf[elem] : 0].Free);
        }
    }

    internal int FreeCount => _lists.Sum(l => l.Free.Count) + _cpus.Sum(c => c.Free.Count);

    internal void Mark(int elem) => _marked.Add(elem);

    internal void Return(int elem)
    {
        var cpu = _cpus[_cpuOf[elem]];
        Move(elem, !_isPerCpu && cpu.Pending.Contains(elem) ? cpu.Free : Home(elem).Free);
    }

    internal int Take(int cpu)
    {
        if (_isPerCpu)
        {
            var own = _lists[cpu];
            Rotate(own);
            if (own.Free.Count == 0)
            {
                Shrink(own, 4, own.Free);
            }

            return own.Free.Count == 0 ? -1 : Move(own.Free[0], own.Inactive);
        }

        if (_cpus[cpu].Free.Count == 0)
        {
            Refill(_cpus[cpu]);
        }

        var elem = _cpus[cpu].Free.Count > 0 ? _cpus[cpu].Free[0] : Steal(_cpus[cpu]);
        if (elem >= 0)
        {
            _cpuOf[elem] = cpu;
            Move(elem, _cpus[cpu].Pending);
        }

        return elem;
    }

    private Common Home(int elem) => _lists[_isPerCpu ? _cpuOf[elem] : 0];

    private void Refill(Local cpu)
    {
        var common = _lists[0];
        foreach (var elem in Enumerable.Reverse(cpu.Pending).ToList())
        {
            Move(elem, _marked.Contains(elem) ? common.Active : common.Inactive);
        }

        Rotate(common);
        var free = common.Free.Take(_target).ToList();
        free.ForEach(elem => Move(elem, cpu.Free));
        if (free.Count < _target)
        {
            Shrink(common, _target - free.Count, cpu.Free);
        }
    }

    private int Steal(Local thief)
    {
        var elem = -1;
        for (var i = 0; elem < 0 && i < _cpus.Length; i++)
        {
            var from = _cpus[thief.NextSteal];
            thief.NextSteal = (thief.NextSteal + 1) % _cpus.Length;
            elem = from.Free.Count > 0 ? from.Free[0] : -1;
            var oldestFirst = Enumerable.Reverse(from.Pending).ToList();
            foreach (var old in oldestFirst.Where(e => !_marked.Contains(e)).Concat(oldestFirst))
            {
                elem = elem < 0 && _evict(old) ? old : elem;
            }
        }

        return elem;
    }

    private void Rotate(Common list)
    {
        if (list.Inactive.Count < list.Active.Count)
        {
            foreach (var elem in Enumerable.Reverse(list.Active).Take(_scanMax).ToList())
            {
                Move(elem, _marked.Contains(elem) ? list.Active : list.Inactive);
            }
        }

        // Once around at most, from where the last scan stopped towards the newest, and on from the oldest.
        var start = list.Rotation < 0 ? list.Inactive.Count - 1 : list.Inactive.IndexOf(list.Rotation);
        var next = -1;
        foreach (var elem in list.Inactive[..(start + 1)].AsEnumerable().Reverse()
            .Concat(list.Inactive[(start + 1)..].AsEnumerable().Reverse()).Take(_scanMax).ToList())
        {
            next = list.Before(elem);
            if (_marked.Contains(elem))
            {
                Move(elem, list.Active);
            }
        }

        list.Rotation = list.Inactive.Count > 0 ? next : list.Rotation;
    }

    private void Shrink(Common list, int wanted, List<int> to)
    {
        var got = 0;
        foreach (var elem in Enumerable.Reverse(list.Inactive).Take(_scanMax).ToList())
        {
            if (got == wanted)
            {
                break;
            }

            if (_marked.Contains(elem))
            {
                Move(elem, list.Active);
            }
            else if (_evict(elem))
            {
                Move(elem, to);
                got++;
            }
        }

        var forced = list.Inactive.Count > 0 ? list.Inactive : list.Active;
        if (got == 0 && Enumerable.Reverse(forced).Where(_evict).Select(e => (int?)e).FirstOrDefault() is { } oldest)
        {
            Move(oldest, to);
        }
    }

    private int Move(int elem, List<int> to)
    {
        if (Home(elem).Rotation == elem)
        {
            Home(elem).Rotation = Home(elem).Before(elem);
        }

        _listOf[elem].Remove(elem);
        _marked.Remove(elem);
        Put(elem, to);
        return elem;
    }

    private void Put(int elem, List<int> to)
    {
        to.Insert(0, elem);
        _listOf[elem] = to;
    }

    private sealed class Common
    {
        internal List<int> Active { get; } = [];

        internal List<int> Inactive { get; } = [];

        internal List<int> Free { get; } = [];

        /// <summary>Where the next scan of the inactive list starts; -1 for its end.</summary>
        internal int Rotation { get; set; } = -1;

        /// <summary>The next newer inactive element; -1 behind the newest.</summary>
        internal int Before(int elem) => Inactive.IndexOf(elem) is var at and > 0 ? Inactive[at - 1] : -1;
    }

    private sealed class Local
    {
        internal List<int> Free { get; } = [];

        internal List<int> Pending { get; } = [];

        internal int NextSteal { get; set; }
    }
}
