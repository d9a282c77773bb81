namespace Kptr.Cli.Check;

/// <summary>How one verdict is printed.</summary>
internal interface IVerdictWriter
{
    void Write(string file, ProgVerdict verdict);
}
