using CustomObject;
using Kptr.Objects;

namespace Kptr.Testing.Tests.Kinds;

/// <summary>Correct objects raise no alarm, whatever the seed.</summary>
public class SoundObjectTests
{
    [Fact]
    public void NaiveObject_RaisesNoAlarm() => Sound(core => new NaiveObject(core), NaiveObject.Capabilities);

    [Fact]
    public void SampleObject_RaisesNoAlarm() =>
        Sound(core => new GpuQueue(core, 7), new() { Declarations = GpuQueue.Declaration });

    [Fact]
    public void Cpumask_RaisesNoAlarm() => Sound(
        core => Unwrapped(Kfuncs.CpumaskKfuncs.CpumaskCreate(core)), new ObjectCapabilities());

    [Fact]
    public void ObjectThatEndsInWork_RaisesNoAlarm() =>
        Sound(core => new QueuedObject(core), NaiveObject.Capabilities);

    // The kit wraps the one reference again; null where there is no memory.
    private static T Unwrapped<T>(KernelRef<T>? owned)
        where T : KernelObject => owned?.Target!;

    private sealed class QueuedObject(KernelCore core) : KernelObject(core, "naive", "usage.refs.counter")
    {
        protected override void OnLastRelease() => QueueWork(End, "the end of a queued object");

        private void End()
        {
            Core.Rcu.Synchronize();
            base.OnLastRelease();
        }
    }

    private static void Sound<T>(Func<KernelCore, T> make, ObjectCapabilities can)
        where T : KernelObject
    {
        for (var seed = 1; seed <= Seeds.Count; seed++)
        {
            var report = ObjectConformance.Check(make, can, new() { Seed = seed, Scripts = 20, Rounds = 1 });
            report.Passed.Count.Should().Be(ObjectConformance.Checks.Count, report.ToString());
        }
    }
}
