using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <summary>Which id of an old state stands for which id of the current one (<c>struct bpf_idmap</c>).</summary>
internal sealed class IdMap
{
    private const int PairsMax = (11 + (Limits.MaxBpfStack / 8)) * Limits.MaxCallFrames;
    private readonly int[] _old = new int[PairsMax];
    private readonly int[] _cur = new int[PairsMax];
    private int _count;
    private int _tmpIdGen;

    public void Reset(int idGen)
    {
        _count = 0;
        _tmpIdGen = idGen;
    }

    /// <summary>Whether the pair agrees with all seen so far; remembers it (<c>check_ids</c>).</summary>
    public bool Check(int oldId, int curId)
    {
        if (oldId == 0 || curId == 0)
        {
            return oldId == curId;
        }

        for (var i = 0; i < _count; i++)
        {
            if (_old[i] == oldId)
            {
                return _cur[i] == curId;
            }

            if (_cur[i] == curId)
            {
                return false;
            }
        }

        if (_count == PairsMax)
        {
            return false;
        }

        _old[_count] = oldId;
        _cur[_count++] = curId;
        return true;
    }

    /// <summary>As <see cref="Check"/> for linked scalars (<c>check_scalar_ids</c>).</summary>
    public bool CheckScalar(int oldId, int curId)
    {
        if (oldId == 0)
        {
            return true;
        }

        curId = curId != 0 ? curId : ++_tmpIdGen;
        return Check(oldId, curId)
            && ((oldId & RegState.AddConst) == 0 || Check(oldId & ~RegState.AddConst, curId & ~RegState.AddConst));
    }
}
