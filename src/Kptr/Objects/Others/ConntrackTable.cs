using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>The tracked connections of the one network namespace.</summary>
public sealed class ConntrackTable
{
    private readonly KernelCore _core;
    private readonly RankedLock _lock = new(LockRank.Conntrack);
    private readonly Dictionary<FlowTuple, NfConn> _flows = [];

    internal ConntrackTable(KernelCore core)
    {
        _core = core;
    }

    /// <summary>The connections in the table; a copy.</summary>
    public ImmutableArray<NfConn> All
    {
        get
        {
            using (_lock.Enter())
            {
                return [.. _flows.Values.Distinct()];
            }
        }
    }

    /// <summary>Makes a connection that is not in the table yet; its one reference is the caller's.</summary>
    public NfConn Allocate(FlowTuple tuple) => new(_core, tuple);

    /// <summary>Puts a connection into the table, which takes a reference of its own.</summary>
    /// <returns><see cref="Errno.EEXIST"/> when the flow is tracked already, in either direction.</returns>
    public Errno Insert(NfConn conn)
    {
        _core.CheckOwn(conn);
        var nowJiffies = conn.NowJiffies;
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            if (_flows.ContainsKey(conn.Tuple) || _flows.ContainsKey(conn.ReplyTuple))
            {
                return Errno.EEXIST;
            }

            conn.EnterTable(nowJiffies);
            _flows[conn.Tuple] = conn;
            _flows[conn.ReplyTuple] = conn;
            return Errno.None;
        }
    }

    /// <summary>The connection of a flow in either direction, or null. No reference is taken.</summary>
    public NfConn? Find(FlowTuple tuple)
    {
        using (_lock.Enter())
        {
            return _flows.GetValueOrDefault(tuple);
        }
    }

    /// <summary>Takes a connection out of the table, which drops its reference; false if it is not in it.</summary>
    public bool Remove(NfConn conn)
    {
        _core.CheckOwn(conn);
        using (_lock.Enter())
        {
            if (_flows.GetValueOrDefault(conn.Tuple) != conn)
            {
                return false;
            }

            _flows.Remove(conn.Tuple);
            _flows.Remove(conn.ReplyTuple);
        }

        conn.LeaveTable();
        return true;
    }
}
