using Kptr.Objects;

namespace Kptr.Testing.Tests.Kinds;

/// <summary>Faults that are planted in <see cref="NaiveObject"/>.</summary>
public enum ObjectFault
{
    None,
    BornWithTwo,
    NeverFreed,
    WorkForgotten,
    NamesAHolderForEver,
    FreedTwice,
    FreedAtOnce,
    WipedAtOnce,
    KeepsItsTask,
    TaskReleasedTwice,
    TaskLostWithoutMemory,
    SleepsInLastRelease,
    SleepsInDestructor,
    ThrowsInDestructor,
    ThrowsInWords,
    ThrowsInWordsOnceFreed,
    ReleasedByItsWork,
    TakesOneInWords,
    OwnsItselfUncounted,
    WaitsForItsWork,
    SharedPinRaced,
}

/// <summary>
/// The object that comes to mind first: it keeps a task and gives it back. Faults are planted by name.
/// </summary>
public sealed class NaiveObject : KernelObject
{
    public const string Declaration = "struct naive { u64 cookie; refcount_t usage; u32 owner; };";

    // Races are held open for so long: machines are busy, and threads rarely meet where they could.
    private static readonly TimeSpan RaceWindow = TimeSpan.FromMilliseconds(1);
    private static readonly ManualResetEventSlim Never = new();
    private readonly ObjectFault _fault;
    private readonly KernelRef<TaskStruct>? _task;
    private KernelRef<NaiveObject>? _self;
    private readonly Pin? _pin;

    public NaiveObject(KernelCore core, ObjectFault fault = ObjectFault.None)
        : this(core, fault, fault == ObjectFault.TaskLostWithoutMemory ? core.Tasks.Init.TryAcquire() : null)
    {
    }

    // What is acquired for the base constructor's sake, nobody gives back where that one fails.
    private NaiveObject(KernelCore core, ObjectFault fault, KernelRef<TaskStruct>? task)
        : base(core, "naive", "usage.refs.counter")
    {
        _fault = fault;
        if (fault == ObjectFault.SharedPinRaced)
        {
            _pin = core.Single(static c => new Pin(c));
            _pin.Add(RaceWindow);
        }

        _task = task ?? core.Tasks.Init.TryAcquire();
        Write("cookie", 0x1122334455667788UL);
        Write("owner", (uint)core.Tasks.Init.Pid);
        if (fault == ObjectFault.BornWithTwo)
        {
            _self = this.TryAcquire();
        }

        if (fault == ObjectFault.ReleasedByItsWork)
        {
            QueueWork(() => KernelRef.Own(this).Release(), "a time that ran out");
        }
    }

    public static ObjectCapabilities Capabilities { get; } = new() { Declarations = Declaration };

    public override string ToString()
    {
        if (_fault == ObjectFault.TakesOneInWords)
        {
            _self = this.TryAcquire();
        }

        return (_fault == ObjectFault.ThrowsInWords && Count.Value > 0)
            || (_fault == ObjectFault.ThrowsInWordsOnceFreed && IsFreed)
                ? throw new InvalidOperationException("no words") : "naive object";
    }

    public override IEnumerable<Holder> IntrinsicHolders() =>
        _fault == ObjectFault.NamesAHolderForEver ? [new KernelHolder("somebody")] : [];

    protected override void OnLastRelease()
    {
        switch (_fault)
        {
            case ObjectFault.NeverFreed:
                break;
            case ObjectFault.WorkForgotten:
                QueueWork(() => Core.Tasks.Init.ToString(), "the end of an object");
                break;
            case ObjectFault.FreedTwice:
                base.OnLastRelease();
                base.OnLastRelease();
                break;
            case ObjectFault.FreedAtOnce:
                FreeNow();
                break;
            case ObjectFault.WipedAtOnce:
                Write("cookie", 0UL);
                base.OnLastRelease();
                break;
            case ObjectFault.TaskReleasedTwice:
                _task?.Release();
                base.OnLastRelease();
                break;
            case ObjectFault.SleepsInLastRelease:
                Core.Rcu.Synchronize();
                base.OnLastRelease();
                break;
            case ObjectFault.WaitsForItsWork:
                QueueWork(() => Core.Tasks.Init.ToString(), "the end of an object");
                Never.Wait();
                base.OnLastRelease();
                break;
            default:
                base.OnLastRelease();
                break;
        }
    }

    protected override void OnFree()
    {
        switch (_fault)
        {
            case ObjectFault.KeepsItsTask:
                return;
            case ObjectFault.SleepsInDestructor:
                Core.Rcu.Synchronize();
                break;
            case ObjectFault.ThrowsInDestructor:
                _task?.Release();
                throw new InvalidOperationException("half way");
            case ObjectFault.OwnsItselfUncounted:
                _self = KernelRef.Own(this);
                _self.Value.Release();
                break;
        }

        _task?.Release();
        _pin?.Remove();
    }

    /// <summary>One reference for all objects of a kernel, counted by hand.</summary>
    private sealed class Pin(KernelCore core)
    {
        private KernelRef<TaskStruct>? _task;
        private int _users;

        internal void Add(TimeSpan raceWindow)
        {
            var users = _users;
            Never.Wait(raceWindow);
            if (users == 0)
            {
                _task = core.Tasks.Init.TryAcquire();
            }

            _users = users + 1;
        }

        internal void Remove()
        {
            if (--_users == 0)
            {
                _task?.Release();
                _task = null;
            }
        }
    }
}
