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
    /// <exception cref="ObjectDisposedException">Nobody has a reference on it any more.</exception>
    public Errno Insert(NfConn conn)
    {
        _core.CheckOwn(conn);
        ObjectDisposedException.ThrowIf(!conn.TryAcquireCount(), conn);
        if (TryInsert(conn))
        {
            return Errno.None;
        }

        conn.ReleaseCount();
        return Errno.EEXIST;
    }

    // With a reference that is the table's from then on.
    private bool TryInsert(NfConn conn)
    {
        var nowJiffies = conn.NowJiffies;
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            if (_flows.ContainsKey(conn.Tuple) || _flows.ContainsKey(conn.ReplyTuple))
            {
                return false;
            }

            conn.EnterTable(nowJiffies);
            _flows[conn.Tuple] = conn;
            _flows[conn.ReplyTuple] = conn;
            return true;
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

    /// <summary>How many.</summary>
    public override string ToString() => $"conntrack table ({_flows.Count} directions of flows)";

    /// <summary>Takes a connection out of the table, which drops its reference; false if it is not in it.</summary>
    public bool Remove(NfConn conn)
    {
        _core.CheckOwn(conn);
        using (_lock.Enter())
        {
            // Another connection may have the same flow: the one in the table is not this one's to take out.
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
