using Kptr.Btf;

namespace Kptr.Objects;

/// <summary>Whoever runs the destructor kfuncs that the kernel's user registered for types of his own.</summary>
internal interface IDestructors
{
    /// <summary>
    /// Runs the destructor of a kptr that died with the memory it was in. Call it with no lock held, in the context of
    /// whatever ended that memory; the reference becomes the destructor's. What its body throws is thrown on.
    /// </summary>
    /// <param name="field">The field that owned it.</param>
    /// <param name="obj">The object that it owned a reference on.</param>
    /// <returns>False where there is no body of the user's own: then the caller gives the reference back.</returns>
    bool TryRun(BtfField field, KernelObject obj);
}
