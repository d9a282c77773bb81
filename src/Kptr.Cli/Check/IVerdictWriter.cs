namespace Kptr.Cli.Check;

/// <summary>How verdicts are printed.</summary>
internal interface IVerdictWriter
{
    /// <summary>Prints what each kernel says of one program.</summary>
    void Write(string file, ProgVerdicts verdicts);

    /// <summary>After the last program.</summary>
    void Finish();
}
