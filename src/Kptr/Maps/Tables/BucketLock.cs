using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>A bucket is locked until this is disposed.</summary>
/// <remarks>The default value holds nothing. Allocate nothing under it: see the folder's README.</remarks>
internal readonly unsafe ref struct BucketLock
{
    private readonly HashBucket* _bucket;

    /// <summary>Locks a bucket.</summary>
    internal BucketLock(HashBucket* bucket)
    {
        bucket->Lock.Enter(LockRank.Bucket);
        _bucket = bucket;
    }

    /// <summary>The bucket.</summary>
    internal HashBucket* Bucket => _bucket;

    /// <summary>Whether a bucket is locked.</summary>
    internal bool IsTaken => _bucket != null;

    /// <summary>Unlocks it.</summary>
    public void Dispose()
    {
        if (_bucket != null)
        {
            _bucket->Lock.Exit(LockRank.Bucket);
        }
    }
}
