using System.Runtime.CompilerServices;

namespace Kptr.Objects;

/// <summary>
/// An owned reference on a kernel object: whoever has it must release it or move it on, exactly once.
/// </summary>
/// <remarks>
/// Assignment copies the struct but not the reference: after a move (into a kptr slot, to somebody else's release)
/// every copy is dead. Where references are followed (<see cref="MisuseChecks.References"/>, a ledger level above
/// <see cref="LedgerLevel.Counts"/>, and inside <c>EnterProgram</c> scopes) a second release, a use after a move and
/// a reference that is simply dropped are reported with both places. Elsewhere only what goes beyond the last
/// reference of the object is.
/// </remarks>
/// <typeparam name="T">The kind of object.</typeparam>
public readonly struct KernelRef<T> : IDisposable, IEquatable<KernelRef<T>>
    where T : KernelObject
{
    internal KernelRef(KernelObject obj, RefToken? token)
        : this(obj, token, obj.Address)
    {
    }

    // The address is kept beside the object because the next exchange waits for it.
    internal KernelRef(KernelObject obj, RefToken? token, ulong address)
    {
        Object = obj;
        Token = token;
        Address = address;
    }

    internal KernelObject? Object { get; }

    internal RefToken? Token { get; }

    internal ulong Address { get; }

    /// <summary>
    /// The object. Using it through a reference that was moved or released is reported, as far
    /// as references are followed.
    /// </summary>
    /// <exception cref="InvalidOperationException">This is a default value and not a reference.</exception>
    public T Target
    {
        get
        {
            var obj = (T)(Object ?? throw new InvalidOperationException("a default KernelRef owns nothing"));
            if (Token is not null)
            {
                Token.CheckUse();
            }
            else if (obj.Count.Value == 0)
            {
                // Whoever owns a reference sees a count above zero.
                Misuse.ReportSpent(obj, "used", RefSite.Unknown);
            }

            return obj;
        }
    }

    /// <summary>Gives the reference back. The object may be on its way to be freed afterwards.</summary>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Release([CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        if (Token is null)
        {
            Object?.ReleaseCount(file, line);
        }
        else
        {
            Token.Release(file, line);
        }
    }

    /// <summary>Gives the reference back, like <see cref="Release"/>.</summary>
    public void Dispose() => Release("", 0);

    /// <summary>Takes one more reference on the same object; null only where the count is already faulty.</summary>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    public KernelRef<T>? TryClone([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        Target.TryAcquire(file, line);

    /// <inheritdoc/>
    public bool Equals(KernelRef<T> other) =>
        ReferenceEquals(Object, other.Object) && ReferenceEquals(Token, other.Token);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is KernelRef<T> other && Equals(other);

    /// <summary>What it is on; looking at it is no use of it.</summary>
    public override string ToString() => Object is null ? "no reference" : $"reference on {Object}";

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Object, Token);

    /// <summary>Whether both are copies of the same reference.</summary>
    public static bool operator ==(KernelRef<T> left, KernelRef<T> right) => left.Equals(right);

    /// <summary>Whether they are different references.</summary>
    public static bool operator !=(KernelRef<T> left, KernelRef<T> right) => !left.Equals(right);
}
