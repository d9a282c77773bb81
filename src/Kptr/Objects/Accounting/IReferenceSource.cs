namespace Kptr.Objects;

/// <summary>Somebody whose memory has kptr slots: a map. It tells the ledger what a slot is, when asked.</summary>
internal interface IReferenceSource
{
    /// <summary>
    /// Says who holds a reference that is in the slot at this address: key and field, or an unlinked element.
    /// </summary>
    Holder DescribeSlot(ulong slotAddress);

    /// <summary>Whether some of these bytes, which lie in one value, are in a special field.</summary>
    bool IsSpecial(ulong address, int sizeBytes);

    /// <summary>Every slot that holds a reference now, free-list and spare memory included.</summary>
    IEnumerable<HeldSlot> HeldSlots();
}

/// <summary>A slot and the object it owns a reference on.</summary>
internal readonly record struct HeldSlot(ulong SlotAddress, ulong ObjectAddress, Holder Holder);
