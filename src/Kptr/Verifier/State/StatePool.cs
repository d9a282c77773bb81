namespace Kptr.Verifier.State;

/// <summary>
/// Keeps dead states and frames for reuse, so that the hot loop seldom allocates. One per verification.
/// </summary>
internal sealed class StatePool
{
    private const int FramesKeptMax = 1024;
    private readonly Stack<FuncState> _frames = new();
    private readonly Stack<VerifierState> _states = new();

    public FuncState RentFrame() => _frames.TryPop(out var frame) ? frame : new FuncState();

    public VerifierState RentState() => _states.TryPop(out var state) ? state : new VerifierState();

    /// <summary>Takes a frame back. Nothing may refer to it any more, as a liveness parent either.</summary>
    public void Return(FuncState frame)
    {
        if (_frames.Count < FramesKeptMax)
        {
            _frames.Push(frame);
        }
    }

    /// <summary>Takes a state and its frames back, under the same rule.</summary>
    public void Return(VerifierState state)
    {
        for (var i = 0; i < state.Frames.Length; i++)
        {
            if (state.Frames[i] is { } frame)
            {
                Return(frame);
                state.Frames[i] = null;
            }
        }

        state.Parent = null;
        state.LoopEntry = null;
        state.MissCount = state.HitCount = 0;
        if (_states.Count < FramesKeptMax)
        {
            _states.Push(state);
        }
    }
}
