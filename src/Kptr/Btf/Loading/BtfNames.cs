namespace Kptr.Btf;

/// <summary>Which names the kernel lets BTF use.</summary>
/// <remarks>
/// Kernel: <c>btf_name_valid_identifier</c> and <c>btf_name_valid_section</c>. The kernel's character classes are those
/// of Latin-1: bytes from 0xc0 on are letters but for two signs, and bytes from 0xa0 on can be printed.
/// </remarks>
internal static class BtfNames
{
    /// <summary><c>KSYM_NAME_LEN</c>.</summary>
    private const int LengthMax = 512;

    internal static bool IsIdentifier(ReadOnlySpan<byte> name)
    {
        if (name.Length is 0 or > LengthMax || char.IsAsciiDigit((char)name[0]))
        {
            return false;
        }

        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit((char)c) && c is not ((byte)'_' or (byte)'.') && c is < 0xc0 or 0xd7 or 0xf7)
            {
                return false;
            }
        }

        return true;
    }

    internal static bool IsSection(ReadOnlySpan<byte> name) =>
        name.Length is > 0 and <= LengthMax && !name.ContainsAnyInRange((byte)0, (byte)0x1f)
        && !name.ContainsAnyInRange((byte)0x7f, (byte)0x9f);
}
