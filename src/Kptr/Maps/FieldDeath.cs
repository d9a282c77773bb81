using Kptr.Btf;

namespace Kptr.Maps;

/// <summary>A destructor is about to run for something that a map value owned.</summary>
/// <param name="Map">The map.</param>
/// <param name="Path">How the value ended.</param>
/// <param name="LinuxContext">Where Linux 6.12 would run this destructor.</param>
/// <param name="Field">The field that owned it.</param>
public sealed record FieldDeath(BpfMap Map, DeathPath Path, DeathContext LinuxContext, BtfField Field);
