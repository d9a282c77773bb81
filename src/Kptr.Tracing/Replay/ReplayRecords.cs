namespace Kptr.Tracing.Replay;

/// <summary>Raises events as records of bytes, for programs attached to <c>tp/</c>.</summary>
internal sealed class ReplayRecords
{
    private readonly KernelModel _kernel;
    private readonly bool _isOn;
    private const int NameMax = 511;
    private readonly Dictionary<string, TraceEventFormat> _formats;
    private readonly HashSet<string> _declared = [];

    internal ReplayRecords(KernelModel kernel, TraceReplayOptions options)
    {
        _kernel = kernel;
        _isOn = options.RaisesRecords;
        _formats = options.Formats.GroupBy(f => f.Name).ToDictionary(f => f.Key, f => f.First());
        foreach (var format in _formats.Values.Where(_ => _isOn))
        {
            TryDeclare($"{format.System}/{format.Name}");
        }
    }

    internal long Raised { get; private set; }

    /// <summary>Raises an event on the CPU and task that it happened to.</summary>
    internal void Raise(TraceEvent at)
    {
        if (!_isOn)
        {
            return;
        }

        var format = _formats.GetValueOrDefault(at.Name);
        var system = at.System.Length > 0 ? at.System : format?.System;
        var record = !at.Record.IsEmpty ? at.Record.Span : format is not null ? format.Encode(at) : default;
        if (system is { Length: > 0 } && !record.IsEmpty && TryDeclare($"{system}/{at.Name}"))
        {
            _kernel.RaiseEvent($"{system}/{at.Name}", record);
            Raised++;
        }
    }

    // The recorded kernel had events that the model's types may lack. There are no more names than formats.
    private bool TryDeclare(string name)
    {
        if (name.Length > NameMax)
        {
            return false;
        }

        if (_declared.Add(name))
        {
            _kernel.DeclareHook(name);
        }

        return true;
    }
}
