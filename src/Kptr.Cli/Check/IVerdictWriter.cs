using Kptr.Diagnostics;

namespace Kptr.Cli.Check;

/// <summary>How verdicts are printed.</summary>
internal interface IVerdictWriter
{
    /// <summary>Prints what each kernel says of one program.</summary>
    void Write(string file, ProgVerdicts verdicts);

    /// <summary>A file that cannot be judged. It is said on standard error besides.</summary>
    void Refuse(Diagnostic fault);

    /// <summary>After the last program.</summary>
    void Finish(VerdictCount count);
}
