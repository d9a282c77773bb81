using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Btf;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Which C# structs are map values, and where their special fields are found.</summary>
public class StructRecordTests
{
    [Fact]
    public void Record_OfNestedStructs_HasTheirFields() =>
        PlacesOf<Outer>().Should().Equal(("In.Pair.Item1", 16), ("In.Pair.Item2", 24), ("Last", 40));

    [Fact]
    public void Record_OfInlineArrays_HasEveryElement() =>
        PlacesOf<Table>().Should().Equal(
            ("Slots[0]", 8), ("Slots[1]", 16), ("Slots[2]", 24), ("Rows[0].Slot", 40), ("Rows[1].Slot", 64));

    [Fact]
    public void Record_OfAKptrAlone_HasIt() => PlacesOf<Kptr<Widget>>().Should().Equal(("", 0));

    [Fact]
    public void Record_OfALockAlone_HasIt() =>
        StructRecord.Of<BpfSpinLock>(TestKernel.Spec).Fields.Select(f => f.Kind).Should().Equal(BtfFieldKind.SpinLock);

    [Fact]
    public void Record_BesideBuffersPointersAndForeignStructs_HasTheKptr() =>
        PlacesOf<Mixed>().Should().ContainSingle().Which.Name.Should().Be("Slot");

    [Fact]
    public void Record_OfAnArrayOfNumbers_IsEmpty() => PlacesOf<Plain24>().Should().BeEmpty();

    [Fact]
    public void KptrThatSharesBytes_IsRefused() => Refusal<Forged>().Should().Contain("shares bytes with");

    [Fact]
    public void KptrThatSharesBytesWithAPointer_IsRefused() =>
        Refusal<ForgedByPointer>().Should().Contain("shares bytes with");

    [Fact]
    public void KptrOffItsAlignment_IsRefused() => Refusal<Packed>().Should().Contain("not aligned");

    [Fact]
    public void MoreFieldsThanTheKernelTakes_AreRefused()
    {
        PlacesOf<Eleven>().Should().HaveCount(11);
        Refusal<Twelve>().Should().Contain("12 special fields");
    }

    // Compiled ahead of time, reflection sees the fields of those structs alone that were named.
    [Fact]
    public void AheadOfTime_NamedStructs_AreLookedInto() =>
        StructFields.Of<Table>(isKnownWhole: false).Count(f => f.IsSpecial).Should().Be(5);

    [Fact]
    public void AheadOfTime_AStructThatNobodyCouldName_IsRefused()
    {
        var look = () => StructFields.Of<Hiding>(isKnownWhole: false);
        look.Should().Throw<NotSupportedException>().WithMessage("*Hiding.Inner*");
        PlacesOf<Hiding>().Should().Equal(("Inner.Slot", 0));
    }

    [Fact]
    public void AheadOfTime_StructsOfTheCoreLibraryAndBuffers_AreNoneOfOurs() =>
        StructFields.Of<Mixed>(isKnownWhole: false).Count(f => f.IsSpecial).Should().Be(1);

    // As C# says where each field is.
    [Fact]
    public unsafe void Fields_OfEveryKindOfType_AreWhereTheyAre()
    {
        var value = default(EveryKind);
        var start = (byte*)&value;
        int At<T>(ref T field) => (int)((byte*)Unsafe.AsPointer(ref field) - start);
        var places = StructFields.Of<EveryKind>(isKnownWhole: true).ToDictionary(f => f.Name, f => f.OffsetBytes);
        places.Should().BeEquivalentTo(new Dictionary<string, int>
        {
            ["First"] = At(ref value.First),
            ["Maybe.hasValue"] = At(ref value.Maybe),
            ["Maybe.value"] = At(ref Unsafe.AsRef(in Nullable.GetValueRefOrDefaultRef(in value.Maybe))),
            ["Sure"] = At(ref value.Sure),
            ["Wide"] = At(ref value.Wide),
            ["Letter"] = At(ref value.Letter),
            ["MaybeSlot.hasValue"] = At(ref value.MaybeSlot),
            ["MaybeSlot.value.Before"] = At(ref Unsafe.AsRef(in Slots(in value).Before)),
            ["MaybeSlot.value.Slot"] = At(ref Unsafe.AsRef(in Slots(in value).Slot)),
            ["MaybeSlot.value.After"] = At(ref Unsafe.AsRef(in Slots(in value).After)),
            ["Number"] = At(ref value.Number),
            ["Pair.key"] = At(ref value.Pair),
            ["Pair.value"] = At(ref value.Pair) + 8,
            ["Last"] = At(ref value.Last),
        });

        static ref readonly Row Slots(in EveryKind value) =>
            ref Nullable.GetValueRefOrDefaultRef(in value.MaybeSlot);
    }

    [Fact]
    public void Record_OfEveryKindOfField_HasTheKptrs() => PlacesOf<EveryKind>()
        .Select(p => p.Name).Should().BeEquivalentTo("MaybeSlot.value.Slot", "Pair.value", "Last");

    [Fact]
    public void AheadOfTime_ANullable_IsLookedIntoAsItsValueIs() =>
        StructFields.Of<WithNullable>(isKnownWhole: false).Count(f => f.IsSpecial).Should().Be(1);

    private static IEnumerable<(string Name, int At)> PlacesOf<TValue>()
        where TValue : unmanaged =>
        StructRecord.Of<TValue>(TestKernel.Spec).Fields.Select(f => (f.Name, f.OffsetBytes));

    private static string Refusal<TValue>()
        where TValue : unmanaged
    {
        var make = () => StructRecord.Of<TValue>(TestKernel.Spec);
        return make.Should().Throw<ArgumentException>().Which.Message;
    }

#pragma warning disable CS0169, CS0649, CA1823, IDE0044, IDE0051 // only their shape counts
    internal struct Outer
    {
        public long Before;
        public Inner In;
        public Kptr<Widget> Last;
    }

    internal struct Inner
    {
        public long Before;
        public (Kptr<Widget>, Kptr<Widget>) Pair;
        public int After;
    }

    internal struct Table
    {
        public int Before;
        public ThreeSlots Slots;
        public TwoRows Rows;
    }

    [InlineArray(3)]
    internal struct ThreeSlots
    {
        private Kptr<Widget> _first;
    }

    [InlineArray(2)]
    internal struct TwoRows
    {
        private Row _first;
    }

    internal struct Row
    {
        public long Before;
        public Kptr<Widget> Slot;
        public byte After;
    }

    internal unsafe struct Mixed
    {
        public fixed byte Comm[16];
        public void* Raw;
        public delegate* unmanaged<int, void> Code;
        public DateTime At;
        public Guid Id;
        public DayOfWeek Day;
        public Kptr<Widget> Slot;
    }

    [StructLayout(LayoutKind.Auto)]
    internal struct EveryKind
    {
        public byte First;
        public long? Maybe;
        public bool Sure;
        public Int128 Wide;
        public char Letter;
        public Row? MaybeSlot;
        public Half Number;
        public KeyValuePair<int, Kptr<Widget>> Pair;
        public Kptr<Widget> Last;
    }

    internal struct WithNullable
    {
        public int? Number;
        public Row? Row;
    }

    internal struct Hiding
    {
        private Hidden Inner;

        private struct Hidden
        {
            public Kptr<Widget> Slot;
        }
    }

    [StructLayout(LayoutKind.Explicit)]
    internal struct Forged
    {
        [FieldOffset(0)]
        public Kptr<Widget> Slot;

        [FieldOffset(4)]
        public int Half;
    }

    [StructLayout(LayoutKind.Explicit)]
    internal unsafe struct ForgedByPointer
    {
        [FieldOffset(8)]
        public Kptr<Widget> Slot;

        [FieldOffset(8)]
        public void* Alias;
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal struct Packed
    {
        public byte Before;
        public Kptr<Widget> Slot;
    }

    [InlineArray(11)]
    internal struct Eleven
    {
        private Kptr<Widget> _first;
    }

    [InlineArray(12)]
    internal struct Twelve
    {
        private Kptr<Widget> _first;
    }
}
