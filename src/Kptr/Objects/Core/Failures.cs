using System.Runtime.ExceptionServices;

namespace Kptr.Objects;

/// <summary>The first exception of a run of steps of which each must be done whatever the others throw.</summary>
/// <remarks>Further ones go to the next <see cref="KernelCore.Quiesce"/>, so that none is lost.</remarks>
internal struct Failures
{
    private ExceptionDispatchInfo? _first;

    /// <summary>Notes what a step threw.</summary>
    internal void Add(KernelCore core, Exception failure)
    {
        if (_first is null)
        {
            _first = ExceptionDispatchInfo.Capture(failure);
        }
        else
        {
            core.Deferred.Fail(failure);
        }
    }

    /// <summary>All steps are done: throws the first exception, if there was one.</summary>
    internal readonly void ThrowIfAny() => _first?.Throw();
}
