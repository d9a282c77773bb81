namespace Kptr.Cli;

/// <summary>What the tool's exit codes mean.</summary>
internal static class ExitCodes
{
    /// <summary>All programs accepted, or the command did what was asked.</summary>
    public const int Ok = 0;

    /// <summary>Some program was rejected, or is not supported.</summary>
    public const int Rejected = 1;

    /// <summary>What ran faulted, or references are lost.</summary>
    public const int Faulted = 3;

    /// <summary>Bad usage, input that cannot be read, or output that cannot be written.</summary>
    public const int Unusable = 2;
}
