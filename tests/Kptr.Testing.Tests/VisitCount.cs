public sealed class VisitCount
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, int> _visits = [];

    public int Of(int pid)
    {
        lock (_lock)
        {
            return _visits.GetValueOrDefault(pid);
        }
    }

    public void Add(int pid)
    {
        var visits = Of(pid);
        lock (_lock)
        {
            _visits[pid] = visits + 1;
        }
    }
}
