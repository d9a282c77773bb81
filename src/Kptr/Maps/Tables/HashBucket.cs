using System.Runtime.InteropServices;

namespace Kptr.Maps;

/// <summary>One bucket: the head of a chain of elements, and the lock over the chain.</summary>
/// <remarks>
/// <code>
/// 0  head   index of the first element, -1 for none
/// 4  lock   for who changes the chain; its sequence for who reads it
/// </code>
/// Readers take no lock. Who found nothing looks at the sequence again: if a writer was there, an element may have been
/// moved to another chain under the reader's feet (elements are reused at once, as in Linux), and the search restarts.
/// The kernel has chain-end marks for this (<c>hlist_nulls</c>).
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct HashBucket
{
    internal int Head;
    internal SeqLock Lock;
}
