namespace Kptr.Maps;

/// <summary>What a program may touch around an address in a map's memory.</summary>
/// <param name="Address">Where it starts.</param>
/// <param name="SizeBytes">Its bytes; 0 where the address is between values.</param>
/// <param name="IsWritable">Whether programs may write it.</param>
internal readonly record struct MapPart(ulong Address, long SizeBytes, bool IsWritable);
