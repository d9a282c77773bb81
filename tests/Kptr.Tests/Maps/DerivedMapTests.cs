using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>What the base class lends to a map type of one's own cannot be led out of the map's memory.</summary>
public class DerivedMapTests
{
    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    [InlineData(int.MaxValue)]
    public void SlotOutsideOfThePool_IsRefusedEverywhere(int slot)
    {
        using var core = MapKernel.Boot();
        var map = new OneSlotAtATime(core);
        Action<int>[] uses = [map.Init, map.Read, map.Overwrite, map.Recycle, map.Return, s => map.AddressOf(s)];
        foreach (var use in uses)
        {
            FluentActions.Invoking(() => use(slot)).Should().Throw<ArgumentOutOfRangeException>();
        }

        map.FreeNow();
        core.Faults.Should().BeEmpty();
    }

    private sealed class OneSlotAtATime : BpfMap
    {
        private readonly ValuePool _values;

        internal OneSlotAtATime(KernelCore core)
            : base(core, new("own", BpfMapType.Hash)
            {
                KeySize = 4, ValueSize = 16, MaxEntries = 4, Record = new([new(BtfFieldKind.KptrRef, "p", 8, 8)]),
            })
        {
            _values = CreatePool(4);
        }

        public override MapCensus TakeCensus() => new(_values.SlotCount, 0, _values.SlotCount);

        internal void Init(int slot) => InitValue(_values, slot, new byte[16], MapCall.User(0));

        internal void Read(int slot) => ReadValue(new byte[16], _values, slot, MapUpdateFlags.Any, MapCall.User(0));

        internal void Return(int slot) => _values.Return(slot);

        internal ulong AddressOf(int slot) => _values.AddressOf(slot);

        internal void Overwrite(int slot)
        {
            using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
            dying.Overwrite(_values, slot, new byte[16], MapUpdateFlags.Any, MapCall.User(0));
        }

        internal void Recycle(int slot)
        {
            using var dying = new DyingFields(this, DeathPath.Delete);
            dying.Recycle(_values, slot);
        }

        protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) => false;

        protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => 0;

        protected override Errno UpdateValue(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) => Errno.E2BIG;

        protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.ENOENT;
    }
}
