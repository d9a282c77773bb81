using System.Collections.Concurrent;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

#pragma warning disable KPTR001, KPTR002 // the faults that are meant

namespace Kptr.Testing.Tests.Kinds;

/// <summary>Faults that are planted in <see cref="NaiveKfuncs"/>.</summary>
public enum KfuncFault
{
    None,
    AcquireOnVoid,
    ReleaseOfNumber,
    GetUncounted,
    GetTwice,
    OpenKeepsOne,
    OwnerUncounted,
    PutForgets,
    PutTwice,
    CookieTakes,
    CookieGives,
    CookieGivesTheOwners,
    NullWithoutFlag,
    OpenWithoutFlag,
    GetRevives,
    CookieFollowsTheDead,
    GetOfUntrusted,
    CookieSleeps,
    PutSleeps,
    DestructorWithoutRelease,
    PutForgetsInNmi,
    PutWaits,
    CloneFailsHalfWay,
    TwoFailHalfWay,
    OpenLeavesOne,
    CookieThrows,
    GetRaced,
    GetOfDyingWithoutFlag,
    FollowsTheExited,
    ErrorBehindSize,
    DecidesTwice,
    WaitsForEver,
}

/// <summary>The kfuncs of <see cref="NaiveObject"/>: sound ones, and one of them replaced by a faulty one.</summary>
internal static class NaiveKfuncs
{
    // Races are held open for so long: machines are busy, and threads rarely meet where they could.
    private static readonly TimeSpan RaceWindow = TimeSpan.FromMilliseconds(1);
    private static readonly ManualResetEventSlim Window = new();
    private const KfuncFlags Open = KfuncFlags.Acquire | KfuncFlags.RetNull;
    private const KfuncFlags Get = KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Rcu;
    private const string GetPrototype = "struct naive *naive_get(struct naive *n)";
    private const string CookiePrototype = "u64 naive_cookie(struct naive *n)";

    /// <summary>What they need.</summary>
    internal static KfuncCapabilities Capabilities { get; } = new()
    {
        Declarations = NaiveObject.Declaration,
        Objects = new Dictionary<string, Func<KernelCore, KernelObject>> { ["naive"] = core => new NaiveObject(core) },
    };

    private delegate ulong Body(ProgContext ctx, ulong first, ulong second);

    /// <summary>The registry with a fault.</summary>
    internal static KfuncRegistry With(KfuncFault fault)
    {
        var sound = KfuncRegistry.Builtin.With([
            Make("naive_open", Open, "struct naive *naive_open(u64 cookie)", (ctx, cookie, _) => New(ctx, cookie)),
            Make("naive_get", Get, GetPrototype, (ctx, n, _) => ctx.GiveRef(At(ctx, n).TryAcquire())),
            Make("naive_share", KfuncFlags.Acquire | KfuncFlags.TrustedArgs,
                "struct naive *naive_share(struct naive *n)", (ctx, n, _) => ctx.GiveRef(At(ctx, n).TryAcquire())),
            Make("naive_put", KfuncFlags.Release, PutPrototype("naive_put"), Put, "naive"),
            Make("naive_cookie", KfuncFlags.Rcu, CookiePrototype, (ctx, n, _) => At(ctx, n).Read<ulong>("cookie")),
            Make("naive_owner", Get, "struct task_struct *naive_owner(struct naive *n)",
                (ctx, n, _) => ctx.GiveRef(ctx.Core.Tasks.Init.TryAcquire())),
            Make("naive_same", KfuncFlags.TrustedArgs, "bool naive_same(struct naive *left, struct naive *right)",
                (ctx, left, right) => left == right ? 1UL : 0),
            Make("naive_stat", KfuncFlags.TrustedArgs,
                "int naive_stat(struct naive *n, void *opts, u32 opts__sz)", (ctx, n, opts) =>
                {
                    ctx.Write(opts, At(ctx, n).Read<ulong>("cookie"));
                    return 0;
                }),
            Make("naive_wait", KfuncFlags.TrustedArgs | KfuncFlags.Sleepable, "int naive_wait(struct naive *n)",
                (ctx, n, _) => Wait(ctx)),
        ]);
        return fault == KfuncFault.None ? sound : sound.With(Faulty(fault));
    }

    /// <summary>A queue: what one kfunc takes, another hands out.</summary>
    internal static KfuncRegistry WithQueue() => With(KfuncFault.None).With([
        Make("naive_push", KfuncFlags.Release, PutPrototype("naive_push"), (ctx, n, _) =>
        {
            ctx.Core.Single(static _ => new ConcurrentQueue<KernelRef<NaiveObject>>())
                .Enqueue(ctx.TakeRef<NaiveObject>(n)!.Value);
            return 0;
        }),
        Make("naive_pop", Open, "struct naive *naive_pop(u64 unused)", (ctx, _, _) =>
            ctx.Core.Single(static _ => new ConcurrentQueue<KernelRef<NaiveObject>>()).TryDequeue(out var first)
                ? ctx.GiveRef<NaiveObject>(first) : 0),
    ]);

    /// <summary>Two kfuncs that both say to destroy.</summary>
    internal static KfuncRegistry WithSecondDestructor() => With(KfuncFault.None).With(
        Make("naive_drop", KfuncFlags.Release, PutPrototype("naive_drop"), Put, "naive"));

    private static string PutPrototype(string name) => $"void {name}(struct naive *n)";

    private static KfuncDeclaration Make(
        string name, KfuncFlags flags, string prototype, Body body, string? destructorOf = null) => new(
        new KfuncAttribute(name, flags) { Prototype = prototype, DestructorOf = destructorOf },
        (ctx, r1, r2, _, _, _) => body(ctx, r1, r2));

    private static NaiveObject At(ProgContext ctx, ulong address) => ctx.ObjectAt<NaiveObject>(address)!;

    private static ulong New(ProgContext ctx, ulong cookie)
    {
        var made = new NaiveObject(ctx.Core);
        made.Write("cookie", cookie);
        return ctx.GiveRef<NaiveObject>(KernelRef.Own(made));
    }

    private static ulong Put(ProgContext ctx, ulong n, ulong _)
    {
        ctx.TakeRef<NaiveObject>(n)?.Release();
        return 0;
    }

    private static ulong Wait(ProgContext ctx)
    {
        ctx.Core.Rcu.Synchronize();
        return 0;
    }

    private static KfuncDeclaration Faulty(KfuncFault fault) => fault switch
    {
        KfuncFault.AcquireOnVoid => Make(
            "naive_ping", KfuncFlags.Acquire, "void naive_ping(struct naive *n)", (_, _, _) => 0),
        KfuncFault.ReleaseOfNumber => Make(
            "naive_drop", KfuncFlags.Release, "void naive_drop(u64 handle)", (_, _, _) => 0),
        KfuncFault.GetUncounted => FaultyGet((ctx, n) => KernelRef.Own(n)),
        KfuncFault.GetTwice => FaultyGet((ctx, n) => n.TryAcquire() is null ? null : n.TryAcquire()),
        KfuncFault.OpenKeepsOne => FaultyOpen((ctx, cookie, _) =>
        {
            var made = New(ctx, cookie);
            At(ctx, made).TryAcquire();
            return made;
        }),
        KfuncFault.OwnerUncounted => Make("naive_owner", Get, "struct task_struct *naive_owner(struct naive *n)",
            (ctx, n, _) => ctx.GiveRef<TaskStruct>(KernelRef.Own(ctx.Core.Tasks.Init))),
        KfuncFault.PutForgets => FaultyPut((ctx, n, _) => ctx.TakeRef<NaiveObject>(n) is null ? 1UL : 0),
        KfuncFault.PutTwice => FaultyPut((ctx, n, _) =>
        {
            var owned = ctx.TakeRef<NaiveObject>(n);
            owned?.Release();
            owned?.Release();
            return 0;
        }),
        KfuncFault.CookieTakes => FaultyCookie((ctx, n) => n.TryAcquire() is null ? 1UL : 0),
        KfuncFault.CookieGives => FaultyCookie((ctx, n) =>
        {
            KernelRef.Own(n).Release();
            return 0;
        }),
        KfuncFault.CookieGivesTheOwners => FaultyCookie((ctx, n) =>
        {
            KernelRef.Own(ctx.Core.Tasks.Init).Release();
            return 0;
        }),
        KfuncFault.NullWithoutFlag => Make("naive_first", KfuncFlags.Acquire,
            "struct naive *naive_first(u64 cookie)", (ctx, cookie, _) => cookie == 3 ? 0 : New(ctx, cookie)),
        KfuncFault.OpenWithoutFlag => Make(
            "naive_open", KfuncFlags.Acquire, "struct naive *naive_open(u64 cookie)", (ctx, c, _) => New(ctx, c)),
        KfuncFault.GetRevives => FaultyGet((ctx, n) => n.Count.Value == 0 ? KernelRef.Own(n) : n.TryAcquire()),
        KfuncFault.CookieFollowsTheDead => FaultyCookie((ctx, n) =>
            n.TryAcquire() is { } owned ? ReadAndRelease(owned) : throw new InvalidOperationException("it is gone")),
        KfuncFault.GetOfUntrusted => Make(
            "naive_get", Open, GetPrototype, (ctx, n, _) => ctx.GiveRef(At(ctx, n).TryAcquire())),
        KfuncFault.CookieSleeps => FaultyCookie((ctx, n) => Wait(ctx)),
        KfuncFault.PutSleeps => Make("naive_put", KfuncFlags.Release | KfuncFlags.Sleepable, PutPrototype("naive_put"),
            (ctx, n, _) => Put(ctx, n, Wait(ctx)), "naive"),
        KfuncFault.DestructorWithoutRelease => Make(
            "naive_put", KfuncFlags.TrustedArgs, PutPrototype("naive_put"), (_, _, _) => 0, "naive"),
        KfuncFault.PutForgetsInNmi => FaultyPut((ctx, n, _) =>
            ctx.Core.Context == ExecContext.Nmi ? (ctx.TakeRef<NaiveObject>(n) is null ? 1UL : 0) : Put(ctx, n, 0)),
        KfuncFault.PutWaits => FaultyPut((ctx, n, _) => Put(ctx, n, Wait(ctx))),
        _ => FaultyByWhole(fault),
    };

    private static KfuncDeclaration FaultyByWhole(KfuncFault fault) => fault switch
    {
        KfuncFault.CloneFailsHalfWay => Make("naive_clone", Open | KfuncFlags.TrustedArgs,
            "struct naive *naive_clone(struct naive *n)", (ctx, n, _) =>
            {
                var pin = ctx.Core.Tasks.Init.TryAcquire();
                var made = New(ctx, 1);
                pin?.Release();
                return made;
            }),
        KfuncFault.TwoFailHalfWay => Make("naive_either", Open | KfuncFlags.TrustedArgs,
            "struct naive *naive_either(struct naive *left, struct naive *right)", (ctx, left, right) =>
            {
                var first = At(ctx, left).TryAcquire();
                var second = At(ctx, right).TryAcquire();
                if (first is null || second is null)
                {
                    return 0;
                }

                first.Value.Release();
                return ctx.GiveRef(second);
            }),
        KfuncFault.OpenLeavesOne => FaultyOpen((ctx, cookie, _) =>
        {
            ctx.Core.Tasks.Init.TryAcquire();
            return New(ctx, cookie);
        }),
        KfuncFault.CookieThrows => FaultyCookie((_, n) => checked((ulong)((int)n.Read<uint>("owner") - 2))),
        KfuncFault.GetOfDyingWithoutFlag => Make("naive_get", KfuncFlags.Acquire | KfuncFlags.Rcu, GetPrototype,
            (ctx, n, _) => ctx.GiveRef(At(ctx, n).TryAcquire())),
        KfuncFault.FollowsTheExited => FaultyCookie((ctx, _) => (ulong)ctx.Current.Mm!.SizeBytes),
        KfuncFault.ErrorBehindSize => Make("naive_stat", KfuncFlags.TrustedArgs,
            "int naive_stat(struct naive *n, void *opts, u32 opts__sz)", (ctx, _, opts) =>
            {
                ctx.Write(opts + 8, -22);
                return unchecked((ulong)-22);
            }),
        KfuncFault.DecidesTwice => Make("naive_same", KfuncFlags.TrustedArgs,
            "bool naive_same(struct naive *left, struct naive *right)", (ctx, left, _) => DecideTwice(ctx, left)),
        KfuncFault.GetRaced => FaultyGet((ctx, n) =>
        {
            var before = n.Count.Value;
            Thread.Yield();
            var owned = n.TryAcquire();
            return n.Count.Value > before + 1 ? n.TryAcquire() : owned;
        }),
        _ => FaultyCookie((_, _) =>
        {
            using var never = new ManualResetEventSlim();
            never.Wait();
            return 0;
        }),
    };

    // Whether to take and whether to give back is read from memory that others write.
    private static ulong DecideTwice(ProgContext ctx, ulong n)
    {
        var pin = At(ctx, n).Read<uint>("owner") % 2 == 0 ? null : ctx.Core.Tasks.Init.TryAcquire();
        Window.Wait(RaceWindow);
        var owner = At(ctx, n).Read<uint>("owner");
        if (owner % 2 != 0)
        {
            pin?.Release();
        }

        At(ctx, n).Write("owner", owner + 1);
        return 0;
    }

    private static ulong ReadAndRelease(KernelRef<NaiveObject> owned)
    {
        var cookie = owned.Target.Read<ulong>("cookie");
        owned.Release();
        return cookie;
    }

    private static KfuncDeclaration FaultyGet(Func<ProgContext, NaiveObject, KernelRef<NaiveObject>?> get) =>
        Make("naive_get", Get, GetPrototype, (ctx, n, _) => ctx.GiveRef(get(ctx, At(ctx, n))));

    private static KfuncDeclaration FaultyCookie(Func<ProgContext, NaiveObject, ulong> read) =>
        Make("naive_cookie", KfuncFlags.Rcu, CookiePrototype, (ctx, n, _) => read(ctx, At(ctx, n)));

    private static KfuncDeclaration FaultyOpen(Body open) =>
        Make("naive_open", Open, "struct naive *naive_open(u64 cookie)", open);

    private static KfuncDeclaration FaultyPut(Body put) =>
        Make("naive_put", KfuncFlags.Release, PutPrototype("naive_put"), put, "naive");
}
