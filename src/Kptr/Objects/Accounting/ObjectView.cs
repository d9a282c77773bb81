namespace Kptr.Objects;

/// <summary>What the ledger asks an object about itself, each once and with no lock held.</summary>
/// <param name="Object">The object.</param>
/// <param name="Text">Its text.</param>
/// <param name="Count">Its count; 0 once it is freed.</param>
/// <param name="SizeBytes">Bytes it occupies.</param>
/// <param name="Intrinsic">The kernel's own references on it.</param>
internal sealed record ObjectView(
    KernelObject Object, string Text, int Count, long SizeBytes, IReadOnlyList<Holder> Intrinsic)
{
    /// <summary>Asks.</summary>
    /// <remarks>
    /// An object of a user's own type can be found before its constructor has ended. What it overrides may fail then
    /// for what is still missing, and it is shown by type and address.
    /// </remarks>
    internal static ObjectView Of(KernelObject obj)
    {
        try
        {
            return new(obj, obj.Describe(), obj.LiveCount, obj.SizeBytes, [.. obj.IntrinsicHolders()]);
        }
        catch (Exception) when (!obj.IsBuilt)
        {
            return new(obj, $"{obj.TypeName}@{obj.Address:x}", obj.LiveCount, obj.Layout.SizeBytes, []);
        }
    }

    /// <summary>One reference on the object that nobody wrote more about than who has it.</summary>
    internal LedgerEntry Entry(Holder holder) =>
        new(0, Object.TypeName, Text, Object.Address, holder, RefSite.Unknown, RefSite.Unknown, 0, SizeBytes);
}
