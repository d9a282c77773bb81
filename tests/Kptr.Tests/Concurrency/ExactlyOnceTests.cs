using System.Net;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Kfuncs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Concurrency;

/// <summary>
/// Each operation that ends or moves something, from two threads at the same moment: it happens once,
/// and every count is right.
/// </summary>
public class ExactlyOnceTests : RunTestBase
{
    private const int Rounds = 300;

    /// <summary>What one round prepares, what both threads then do, and how often the result true may come.</summary>
    private sealed record Race(Func<KernelCore, Func<bool>> Prepare, int Winners = 1);

    private static Dictionary<string, Race> All { get; } = new()
    {
        ["cgroup remove"] = new(k =>
        {
            var group = k.Cgroups.Create("g");
            return () => k.Cgroups.Remove(group) == Errno.None;
        }),
        ["cgroup create"] = new(k =>
        {
            var name = $"g{k.Cgroups.ChildrenOf(k.Cgroups.Root).Count}";
            return () => Wins<InvalidOperationException>(() => k.Cgroups.Create(name));
        }),
        ["task exit"] = new(k =>
        {
            var task = k.Tasks.Fork(k.Tasks.Init);
            return () => Wins<InvalidOperationException>(() => k.Tasks.Exit(task));
        }),
        ["task exit process"] = new(k =>
        {
            var task = k.Tasks.Fork(k.Tasks.Init);
            k.Tasks.ForkThread(task);
            return () => Did(() => k.Tasks.ExitProcess(task));
        }, Winners: 2),
        ["task switch out"] = new(k =>
        {
            var task = k.Tasks.Fork(k.Tasks.Init);
            k.Tasks.Exit(task, switchOut: false);
            return () => k.Tasks.SwitchOut(task);
        }),
        ["task reap"] = new(k =>
        {
            var task = k.Tasks.Fork(k.Tasks.Init);
            k.Tasks.Exit(task);
            return () => k.Tasks.Reap(task);
        }),
        ["task exec against exit"] = new(k =>
        {
            var (task, turn) = (k.Tasks.Fork(k.Tasks.Init), 0);
            return () => Interlocked.Increment(ref turn) == 1
                ? Wins<InvalidOperationException>(() => k.Tasks.Exec(task, "x")) || true
                : Wins<InvalidOperationException>(() => k.Tasks.Exit(task));
        }, Winners: 2),
        ["task exec of two threads"] = new(k =>
        {
            var (leader, turn) = (k.Tasks.Fork(k.Tasks.Init), 0);
            var thread = k.Tasks.ForkThread(leader);
            return () => Did(() => Wins<InvalidOperationException>(
                () => k.Tasks.Exec(Interlocked.Increment(ref turn) == 1 ? leader : thread, "x")));
        }, Winners: 2),
        ["task fork against exit"] = new(k =>
        {
            var (task, turn) = (k.Tasks.Fork(k.Tasks.Init), 0);
            task.Mm!.Map(new(0x1000, 0x2000, 0, null));
            return () => Interlocked.Increment(ref turn) == 1
                ? Wins<InvalidOperationException>(() => k.Tasks.Fork(task)) || true
                : Wins<InvalidOperationException>(() => k.Tasks.Exit(task));
        }, Winners: 2),
        ["cgroup attach against exit"] = new(k =>
        {
            var (group, task, turn) = (k.Cgroups.Create($"g{k.Cgroups.ChildrenOf(k.Cgroups.Root).Count}"),
                k.Tasks.Fork(k.Tasks.Init), 0);
            return () => Did(() =>
            {
                if (Interlocked.Increment(ref turn) == 1)
                {
                    k.Cgroups.Attach(group, task);
                }
                else
                {
                    k.Tasks.Exit(task);
                    k.Tasks.Reap(task);
                }
            });
        }, Winners: 2),
        ["socket close"] = new(k =>
        {
            var sock = new Sock(k, Flow(7));
            k.Sockets.Add(sock);
            return () => sock.TryClose();
        }),
        ["socket add"] = new(k =>
        {
            var flow = Flow(k.Sockets.All.Length);
            return () =>
            {
                var sock = new Sock(k, flow);
                if (Wins<InvalidOperationException>(() => k.Sockets.Add(sock)))
                {
                    return true;
                }

                sock.Close();
                return false;
            };
        }),
        ["file close"] = new(k =>
        {
            var file = new KernelFile(k, "/f");
            return () => file.TryClose();
        }),
        ["mapping unmap"] = new(k =>
        {
            var (task, file) = (k.Tasks.Fork(k.Tasks.Init), new KernelFile(k, "/f"));
            task.Mm!.Map(new(0x1000, 0x2000, 0, file));
            file.Close();
            return () => task.Mm!.Unmap(0x1000);
        }),
        ["mapping map"] = new(k =>
        {
            var (task, file) = (k.Tasks.Fork(k.Tasks.Init), new KernelFile(k, "/f"));
            return () => Wins<ArgumentException>(() => task.Mm!.Map(new(0x1000, 0x2000, 0, file)));
        }),
        ["mapping exe file"] = new(k =>
        {
            var (task, file) = (k.Tasks.Fork(k.Tasks.Init), new KernelFile(k, "/f"));
            return () => Did(() => task.Mm!.SetExeFile(file));
        }, Winners: 2),
        ["flow insert"] = new(k =>
        {
            var conn = k.Conntrack.Allocate(Flow(k.Conntrack.All.Length));
            return () => k.Conntrack.Insert(conn) == Errno.None;
        }),
        ["flow remove"] = new(k =>
        {
            var conn = k.Conntrack.Allocate(Flow(7));
            k.Conntrack.Insert(conn);
            return () => k.Conntrack.Remove(conn);
        }),
        ["flow remove another's"] = new(k =>
        {
            var (conn, other) = (k.Conntrack.Allocate(Flow(k.Conntrack.All.Length)),
                k.Conntrack.Allocate(Flow(k.Conntrack.All.Length)));
            k.Conntrack.Insert(conn);
            return () => k.Conntrack.Remove(other);
        }, Winners: 0),
        ["map dispose"] = new(k =>
        {
            var map = MapFactory.Create(k, new("m", BpfMapType.Array) { KeySize = 4, ValueSize = 8, MaxEntries = 1 });
            return () => Did(map.Dispose);
        }, Winners: 2),
        ["cpu time"] = new(k =>
        {
            var task = k.Tasks.Fork(k.Tasks.Init);
            return () => Did(() => task.AddCpuTime(TimeSpan.FromMilliseconds(1), TimeSpan.Zero));
        }, Winners: 2),
    };

    public static TheoryData<string> Names => [.. All.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Operation_FromTwoThreads_HasItsEffectOnce(string name)
    {
        using var kernel = TestKernel.Boot();
        using var pair = new ThreadPair();
        for (var round = 0; round < Rounds; round++)
        {
            var act = All[name].Prepare(kernel);
            pair.Both(act).Should().Be(All[name].Winners, $"round {round} of {name}");
            if (round % 16 == 0)
            {
                kernel.Quiesce();
            }
        }

        kernel.Quiesce();
        EndAll(kernel);
        kernel.Faults.Should().BeEmpty();
        var left = kernel.Ledger
            .Snapshot().Entries
            .Where(e => e.Holder is UnknownHolder && e.TypeName is not ("nf_conn" or "mm_struct"));
        left.Should().BeEmpty("every count has a holder");
    }

    [Fact]
    public void SockMap_SetDeleteAndEnd_GiveBackWhatTheyTook()
    {
        using var kernel = TestKernel.Boot();
        using var pair = new ThreadPair();
        var socks = Enumerable.Range(0, 4).Select(i => new Sock(kernel, Flow(i))).ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            using (var map = (SockMap)MapFactory.Create(
                kernel, new("m", BpfMapType.Sockhash) { KeySize = 4, ValueSize = 4, MaxEntries = 2 }))
            {
                var turn = 0;
                pair.Both(() =>
                {
                    var mine = Interlocked.Increment(ref turn);
                    for (var i = 0; i < 20; i++)
                    {
                        map.Set(BitConverter.GetBytes(i % 3), socks[(i + mine) % 4], MapUpdateFlags.Any);
                        if (i % 5 == mine)
                        {
                            map.DeleteElem(BitConverter.GetBytes(i % 3));
                        }
                    }

                    return true;
                });
            }

            kernel.Quiesce();
            socks.Should().OnlyContain(s => s.Count.Value == 1, $"round {round}");
        }

        kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void SockMap_NoExist_LetsOneIn()
    {
        using var kernel = TestKernel.Boot();
        using var pair = new ThreadPair();
        var sock = new Sock(kernel, Flow(1));
        for (var round = 0; round < Rounds; round++)
        {
            using var map = (SockMap)MapFactory.Create(
                kernel, new("m", BpfMapType.Sockhash) { KeySize = 4, ValueSize = 4, MaxEntries = 2 });
            pair.Both(() => map.Set(new byte[4], sock, MapUpdateFlags.NoExist) == Errno.None).Should().Be(1);
        }
    }

    [Fact]
    public void Hooks_CalledFirstByTwoThreads_HaveAddressesOfTheirOwn()
    {
        using var kernel = NewKernel();
        using var pair = new ThreadPair();
        for (var round = 0; round < Rounds; round++)
        {
            var hooks = new HookTable(kernel);
            var (turn, seen) = (0, new ulong[2]);
            pair.Both(() =>
            {
                var mine = Interlocked.Increment(ref turn) - 1;
                seen[mine] = hooks.AddressOf($"f{mine}");
                return true;
            });
            seen[0].Should().NotBe(seen[1], $"round {round}");
        }
    }

    [Fact]
    public void Object_LoadedAndDisposedByTwoThreads_EndsOnce()
    {
        using var kernel = NewKernel();
        using var pair = new ThreadPair();
        for (var round = 0; round < 20; round++)
        {
            using var obj = BpfObject.Open(TestData.Path("run", "hooks.bpf.o"));
            pair.Both(() => Wins<InvalidOperationException>(() => obj.Load(kernel))).Should().Be(1);
            var link = obj.Programs["at_entry"].Attach();
            pair.Both(() => Did(link.Dispose));
            link.IsDetached.Should().BeTrue();
            pair.Both(() => Did(obj.Dispose));
            kernel.Quiesce();
        }

        Nothing(kernel);
    }

    [Fact]
    public void Object_DisposedWhileItLoads_LeavesNothing()
    {
        using var kernel = NewKernel();
        using var pair = new ThreadPair();
        for (var round = 0; round < 20; round++)
        {
            var (obj, turn) = (BpfObject.Open(TestData.Path("run", "hooks.bpf.o")), 0);
            pair.Both(() => Interlocked.Increment(ref turn) == 1
                ? Wins<ObjectDisposedException>(() => obj.Load(kernel))
                : Did(obj.Dispose));
            obj.IsLoaded.Should().BeFalse();
            kernel.Quiesce();
        }

        Nothing(kernel);
    }

    [Fact]
    public void Program_AttachedAndRunWhileItsObjectEnds_RunsOrSaysThatItIsGone()
    {
        using var kernel = NewKernel();
        using var pair = new ThreadPair();
        for (var round = 0; round < 20; round++)
        {
            var obj = Load(kernel, "hooks");
            var program = obj.Programs["at_entry"];
            var kept = program.Attach();
            var turn = 0;
            pair.Both(() =>
            {
                if (Interlocked.Increment(ref turn) == 1)
                {
                    kept.Dispose();
                    obj.Dispose();
                    return true;
                }

                for (var i = 0; i < 50; i++)
                {
                    Wins<ObjectDisposedException>(() => program.Attach().Dispose());
                    Wins<ObjectDisposedException>(() => program.RunWithArgs(1, 2));
                    kernel.Call("bpf_modify_return_test", [7, 0]);
                    kernel.Quiesce();
                }

                return true;
            });
            kernel.Quiesce();
            program.Invoking(p => p.RunWithArgs(1, 2)).Should().Throw<ObjectDisposedException>();
            program.Invoking(p => p.Attach()).Should().Throw<ObjectDisposedException>();
        }

        Nothing(kernel);
    }

    private static void Nothing(KernelModel kernel)
    {
        kernel.Faults.Should().BeEmpty();
        kernel.Ledger.Sources().Should().BeEmpty("every map is freed");
        kernel.Ledger.Snapshot().Entries.Should().NotContain(e => e.TypeName == "bpf_prog");
    }

    // Everything that lives is ended the ordinary way, so that what is left over was counted twice or lost.
    private static void EndAll(KernelCore kernel)
    {
        foreach (var task in kernel.Tasks.All.Where(t => t != kernel.Tasks.Init && t.Phase == TaskPhase.Alive).ToList())
        {
            if (task.Phase == TaskPhase.Alive)
            {
                kernel.Tasks.Exit(task);
            }
        }

        foreach (var task in kernel.Tasks.All.Where(t => t.Phase == TaskPhase.Zombie).ToList())
        {
            kernel.Tasks.Reap(task);
        }

        kernel.Quiesce();
        kernel.Tasks.All.Should().Equal(kernel.Tasks.Init);
    }

    private static bool Did(Action act)
    {
        act();
        return true;
    }

    private static bool Wins<T>(Action act)
        where T : Exception
    {
        try
        {
            act();
            return true;
        }
        catch (T)
        {
            return false;
        }
    }

    private static FlowTuple Flow(int port) =>
        FlowTuple.Between(new(IPAddress.Loopback, 1000 + port), new(IPAddress.Parse("10.0.0.2"), 80), 6);

    /// <summary>Two threads that start each step at the same moment.</summary>
    private sealed class ThreadPair : IDisposable
    {
        private readonly Barrier _barrier = new(3);
        private readonly Thread[] _threads;
        private Func<bool>? _act;
        private Exception? _failure;
        private int _winners;

        internal ThreadPair()
        {
            _threads = [.. Enumerable.Range(0, 2).Select(_ => new Thread(Loop) { IsBackground = true })];
            Array.ForEach(_threads, t => t.Start());
        }

        public void Dispose()
        {
            _act = null;
            Meet();
            Array.ForEach(_threads, t => t.Join());
            _barrier.Dispose();
        }

        /// <summary>How many of the two gave true.</summary>
        internal int Both(Func<bool> act)
        {
            (_act, _winners) = (act, 0);
            Meet();
            Meet();
            return _failure is { } e ? throw new InvalidOperationException(e.Message, e) : _winners;
        }

        private void Meet() => _barrier.SignalAndWait(TimeSpan.FromMinutes(2)).Should().BeTrue("neither thread hangs");

        private void Loop()
        {
            while (true)
            {
                _barrier.SignalAndWait();
                if (_act is not { } act)
                {
                    return;
                }

                try
                {
                    if (act())
                    {
                        Interlocked.Increment(ref _winners);
                    }
                }
                catch (Exception e)
                {
                    _failure = e;
                }

                _barrier.SignalAndWait();
            }
        }
    }
}
