using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Soundness.Lives;

/// <summary>Plays lives of maps in modelled kernels; answers as <c>cells/lives.c</c> does.</summary>
/// <param name="profile">The kernel.</param>
internal sealed partial class LifePlayer(KernelProfile profile)
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>The words that a program gets and answers in.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public uint Op;
        public uint Key;
        public ulong Value;
        public ulong Flags;
        public uint Cpu;
        public uint Pad;
        public long Result;
        public ulong Owner;
    }

    /// <summary>What each step of one life answers.</summary>
    internal IReadOnlyList<string> Play(IReadOnlyList<LifeStep> life)
    {
        using var kernel = new KernelModel(new()
        {
            Profile = profile, Driver = DeferredDriver.Manual, CpuCount = LifeLayout.CpuCount,
        });
        var spec = LifeLayout.Maps[(int)life[0].Number(0)];
        var all = ProgBase.Living.Object;
        using var opened = BpfObject.From(all with
        {
            Maps = [.. all.Maps.Where(m => m.Name == spec.Name || !LifeLayout.Maps.Contains(m))],
            Progs = [.. all.Progs.Where(p => p.Name == LifeLayout.ProgramOf(spec))],
        });
        opened.Load(kernel);
        var me = kernel.Tasks.Fork(kernel.Tasks.Init, "lives");
        using (kernel.Tasks.Run(me))
        {
            return [.. new One(kernel, opened, opened.Maps[spec.Name], me).Play(life)];
        }
    }

    /// <summary>One map that lives, in the hands of one task.</summary>
    private sealed partial class One(KernelModel kernel, BpfObject opened, BpfMap map, TaskStruct me)
    {
        private readonly BpfProgram _act = opened.Programs[LifeLayout.ProgramOf(map.Spec)];
        private readonly int _base = me.Count.Value;

        internal IEnumerable<string> Play(IReadOnlyList<LifeStep> life) => life.Select(Answer);

        private string Answer(LifeStep step) => step.Kind switch
        {
            '#' => Words(Errno.None),
            'P' => Act(step),
            'U' => Words(map.UpdateElem(Key(step), Fitting(step.Bytes(2), step.Flags(1)), step.Flags(1))),
            'G' or 'T' => Read(step),
            'D' => Words(map.DeleteElem(Key(step))),
            'W' => Walk(),
            'L' or 'M' => ReadBatch(step),
            'S' or 'X' => WriteBatch(step),
            'F' => Words(map.Freeze()),
            'C' => References(),
            '.' => End(),
            'B' => GoTo((int)step.Number(0)),
            'O' or 'K' or 'Z' => Own(step.Kind, step.Number(0)),
            'N' or 'A' or 'Q' => PutInner(step),
            'V' => ReadRing((int)step.Number(0)),
            'R' => Words(((UserRingBufMap)map).Post(step.Bytes(0))),
            _ => throw new ArgumentException($"no step is {step}"),
        };

        private string Act(LifeStep step)
        {
            var args = new Args
            {
                Op = (uint)step.Number(0),
                Key = (uint)step.Number(1),
                Value = step.Number(2),
                Flags = step.Number(3),
                Cpu = (uint)step.Number(4),
                Owner = OwnerId(step.Number(1)),
            };
            var run = _act.TestRun(MemoryMarshal.AsBytes(new Span<Args>(ref args)));
            return run.Fault is { } fault ? fault.ToString() : Words(Errno.None, args.Result, args.Value);
        }

        private string Read(LifeStep step)
        {
            var value = new byte[map.UserValueSize];
            var flags = step.Flags(1);
            var to = Fitting(value, flags);
            var error = step.Kind == 'G'
                ? map.LookupElem(Key(step), to, flags) : map.LookupAndDeleteElem(Key(step), to, flags);
            return error == Errno.None && map.Spec.InnerMap is null
                ? Words(error, Convert.ToHexStringLower(value)) : Words(error);
        }

        private string Walk()
        {
            var keys = new List<object>();
            var key = new byte[map.KeySize];
            Errno error;
            while ((error = map.GetNextKey(keys.Count == 0 ? default : key, key)) == Errno.None)
            {
                keys.Add(Convert.ToHexStringLower(key));
            }

            return string.Join(' ', [.. keys, -(int)error]);
        }

        private string ReadBatch(LifeStep step)
        {
            var count = (int)step.Number(0);
            var (keys, values) = (new byte[count * map.KeySize], new byte[count * map.UserValueSize]);
            var (cursor, flags) = (new byte[map.BatchCursorSize], step.Flags(1));
            var error = step.Kind == 'L'
                ? map.LookupBatch(default, cursor, keys, values, ref count, flags)
                : map.LookupAndDeleteBatch(default, cursor, keys, values, ref count, flags);
            return error is Errno.None or Errno.ENOENT
                ? Words(error, [count, .. keys.Chunk(map.KeySize).Zip(values.Chunk(map.UserValueSize)).Take(count)
                    .SelectMany(e => new[] { e.First, e.Second }).Select(Convert.ToHexStringLower)])
                : Words(error, count);
        }

        private string WriteBatch(LifeStep step)
        {
            var count = (int)step.Number(0);
            var keys = new byte[count * map.KeySize];
            for (var i = 0; i < count; i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(keys.AsSpan(i * map.KeySize), i);
            }

            var flags = step.Flags(1);
            var error = step.Kind == 'X'
                ? map.DeleteBatch(keys, ref count, flags)
                : map.UpdateBatch(
                    keys, Enumerable.Repeat(step.Bytes(2), count).SelectMany(b => b).ToArray(), ref count, flags);
            return Words(error, count);
        }

        private string References()
        {
            kernel.Quiesce();
            kernel.VirtualClock.Advance(TimeSpan.FromMilliseconds(100));
            kernel.Quiesce();
            return Words(Errno.None, me.Count.Value - _base);
        }

        private string End()
        {
            opened.Dispose();
            _last?.Dispose();
            GoTo(0);
            ForgetOwners();
            return References();
        }

        // Where flags name CPUs, there is one value.
        private Span<byte> Fitting(byte[] value, MapUpdateFlags flags) => value.AsSpan(0, map.UserBytesOf(flags));

        private byte[] Key(LifeStep step)
        {
            var key = new byte[map.KeySize];
            var number = LifeLayout.IsStorage(map.Spec) ? OwnerId(step.Number(0)) : step.Number(0);
            BinaryPrimitives.WriteUInt32LittleEndian(key, (uint)number);
            return key;
        }

        private static string Words(Errno error, params ReadOnlySpan<object> words) =>
            string.Join(' ', [-(int)error, .. words.ToArray().Select(w => Convert.ToString(w, Invariant))]);
    }
}
