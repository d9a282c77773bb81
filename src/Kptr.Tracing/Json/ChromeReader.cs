using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Kptr.Tracing.Text;

namespace Kptr.Tracing.Json;

/// <summary>JSON of Chrome's trace viewer: an array of events, or an object whose <c>traceEvents</c> it is.</summary>
internal sealed class ChromeReader : TraceReader
{
    private const int FieldsMax = 128;
    private const int ThreadNamesMax = 64 * 1024;
    private readonly NameCache _names = new();
    private readonly JsonTokens _tokens;
    private readonly List<TraceField> _fields = [];
    private readonly Dictionary<long, string> _threadNames = [];
    private bool _isArray;
    private bool _isInside;
    private bool _isDone;

    internal ChromeReader(Stream stream, string name)
        : base(name, TraceFormat.Chrome)
    {
        _tokens = new(stream, name, _names);
    }

    public override long PositionBytes => _tokens.Offset;

    public override bool TryRead([NotNullWhen(true)] out TraceEvent? read)
    {
        while (!_isDone)
        {
            if (!_isInside)
            {
                FindEvents();
            }
            else if (TryNextEvent(out read))
            {
                return true;
            }
        }

        read = null;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _tokens.Dispose();
        }
    }

    private void FindEvents()
    {
        if (!_tokens.Read())
        {
            _isDone = true;
            return;
        }

        switch (_tokens.Type)
        {
            case JsonTokenType.StartArray when _tokens.Depth == 0:
                _isArray = _isInside = true;
                break;
            case JsonTokenType.StartObject or JsonTokenType.EndObject:
                break;
            case JsonTokenType.PropertyName when _tokens.Text == "traceEvents":
                Expect(JsonTokenType.StartArray, "traceEvents is no array");
                _isInside = true;
                break;
            case JsonTokenType.PropertyName when _tokens.Text == "systemTraceEvents":
                throw _tokens.Broken("systemTraceEvents is a trace of its own: write that text to a file");
            case JsonTokenType.PropertyName:
                _tokens.Read();
                _tokens.Skip();
                break;
            default:
                throw _tokens.Broken("neither an array of events nor an object that has one");
        }
    }

    private bool TryNextEvent([NotNullWhen(true)] out TraceEvent? read)
    {
        read = null;
        if (!ReadNext())
        {
            _isDone = true;
            return false;
        }

        if (_tokens.Type == JsonTokenType.EndArray)
        {
            _isInside = false;
            _isDone = _isArray;
            return false;
        }

        if (_tokens.Type != JsonTokenType.StartObject)
        {
            throw _tokens.Broken("an event is no object");
        }

        read = ReadEvent();
        return read is not null;
    }

    // A writer that was stopped leaves a bare array open, which the format allows.
    private bool ReadNext()
    {
        try
        {
            return _tokens.Read();
        }
        catch (TraceFormatException) when (_isArray && _tokens.IsNothingLeft)
        {
            return false;
        }
    }

    private TraceEvent? ReadEvent()
    {
        var (line, offset) = (_tokens.Line, _tokens.Offset - 1);
        string name = "", phase = "", system = "";
        long? micros = null;
        long pid = -1, tid = -1, cpu = -1;
        _fields.Clear();
        while (_tokens.Read() && _tokens.Type == JsonTokenType.PropertyName)
        {
            var key = _tokens.Text;
            _tokens.Read();
            switch (key)
            {
                case "name":
                    name = TextHere(key);
                    break;
                case "ph":
                    phase = TextHere(key);
                    break;
                case "cat":
                    system = TextHere(key);
                    break;
                case "ts":
                    micros = NanosHere(key);
                    break;
                case "dur":
                    AddField(new("dur", NanosHere(key)));
                    break;
                case "pid":
                    pid = IdHere();
                    break;
                case "tid":
                    tid = IdHere();
                    break;
                case "cpu":
                    cpu = IdHere();
                    break;
                case "args" when _tokens.Type == JsonTokenType.StartObject:
                    ReadArgs(ref cpu);
                    break;
                default:
                    _tokens.Skip();
                    break;
            }
        }

        return Make(name, phase, system, micros, (pid, tid, cpu), (line, offset));
    }

    private TraceEvent? Make(
        string name, string phase, string system, long? nanos, (long Pid, long Tid, long Cpu) ids,
        (long Line, long Offset) at)
    {
        if (phase == "M")
        {
            KeepName(name, ids.Tid);
            return null;
        }

        if (name.Length == 0 || nanos is not { } time)
        {
            // Ends of slices need no name.
            return phase == "E"
                ? null
                : throw new TraceFormatException(Name, at.Line, at.Offset, "an event has no name or no ts");
        }

        NameAsTracefs(name);
        return new(name, time, [.. _fields])
        {
            System = system,
            Cpu = ToId(ids.Cpu),
            Pid = ToId(ids.Tid),
            Tgid = ToId(ids.Pid),
            Comm = _threadNames.GetValueOrDefault(ids.Tid, ""),
            Line = at.Line,
            Offset = at.Offset,
        };
    }

    private static int ToId(long id) => id is >= 0 and <= int.MaxValue ? (int)id : -1;

    private void KeepName(string name, long tid)
    {
        var given = name == "thread_name" ? _fields.Find(f => f.Name == "name").Text : null;
        if (given is not null && (_threadNames.Count < ThreadNamesMax || _threadNames.ContainsKey(tid)))
        {
            _threadNames[tid] = given;
        }
    }

    // Some writers take the names from the printed text.
    private void NameAsTracefs(string name)
    {
        if (name != "sched_process_fork")
        {
            return;
        }

        for (var i = 0; i < _fields.Count; i++)
        {
            if (_fields[i].Name is "comm" or "pid")
            {
                _fields[i] = _fields[i] with { Name = "parent_" + _fields[i].Name };
            }
        }
    }

    private void ReadArgs(ref long cpu)
    {
        while (_tokens.Read() && _tokens.Type == JsonTokenType.PropertyName)
        {
            var key = _tokens.Text;
            _tokens.Read();
            switch (_tokens.Type)
            {
                case JsonTokenType.Number when Utf8Parser.TryParse(_tokens.Number, out long number, out var used)
                    && used == _tokens.Number.Length:
                    AddField(new(key, number));
                    cpu = key == "cpu" ? number : cpu;
                    break;
                case JsonTokenType.Number:
                    AddField(new(key, 0, _names.Get(_tokens.Number)));
                    break;
                case JsonTokenType.String:
                    AddField(new(key, 0, _tokens.Text));
                    break;
                case JsonTokenType.True or JsonTokenType.False:
                    AddField(new(key, _tokens.Type == JsonTokenType.True ? 1 : 0));
                    break;
                default:
                    _tokens.Skip();
                    break;
            }
        }
    }

    private void AddField(TraceField field)
    {
        if (_fields.Count < FieldsMax)
        {
            _fields.Add(field);
        }
    }

    private string TextHere(string key) => _tokens.Type == JsonTokenType.String
        ? _tokens.Text
        : throw _tokens.Broken($"{key} of an event is no string");

    // Process and thread may be named by strings, which are no numbers of the kernel.
    private long IdHere()
    {
        if (_tokens.Type == JsonTokenType.Number)
        {
            return Utf8Parser.TryParse(_tokens.Number, out long id, out var used) && used == _tokens.Number.Length
                ? id
                : -1;
        }

        _tokens.Skip();
        return -1;
    }

    // Microseconds with a fraction, to the nanosecond.
    private long NanosHere(string key)
    {
        var text = _tokens.Type == JsonTokenType.Number ? _tokens.Number : default;
        if (!Utf8Parser.TryParse(text, out decimal micros, out var used) || used != text.Length
            || Math.Abs(micros) > long.MaxValue / 1000)
        {
            throw _tokens.Broken($"{key} of an event is no number of microseconds");
        }

        return (long)(micros * 1000);
    }

    private void Expect(JsonTokenType type, string otherwise)
    {
        if (!_tokens.Read() || _tokens.Type != type)
        {
            throw _tokens.Broken(otherwise);
        }
    }
}
